/* Between a grid and the one of half its size, a thread a pixel of the grid that is written.

       halve     means over blocks of two pixels along each axis; an odd last one is a block by itself
       spread    u is repeated, p interpolated along its own direction: a fine flow halfway between two coarse ones is
                 their mean, doubled, since its ball is twice as large; with a problem both are then made feasible */

extern "C" __global__ void halve(const float *fine, int depth, int height, int width, int layers, float *coarse)
{
    const int D = (depth + 1) / 2, H = (height + 1) / 2, W = (width + 1) / 2;
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    if (x >= layers * D * H * W) return;
    const float *layer = fine + x / (D * H * W) * (depth * height * width);
    const Pixel at = pixel(x % (D * H * W), H, W);
    float sum = 0;
    for (int corner = 0; corner < 8; corner++) {
        int z = min(2 * at.z + corner / 4, depth - 1);
        int y = min(2 * at.y + corner / 2 % 2, height - 1);
        sum += layer[(z * height + y) * width + min(2 * at.x + corner % 2, width - 1)];
    }
    coarse[x] = sum / 8;
}

/* Along one axis, the coarse pixel from which the flow comes that a fine pixel's flow is averaged with. */
__device__ inline int behind(int x, int offset)
{
    bool leaves = x % 2 == (offset > 0 ? 1 : 0);
    return x / 2 - (leaves ? 0 : offset);
}

extern "C" __global__ void spread(const Problem *problems, const float *u, const float *p, int feasible)
{
    const Problem &q = problems[0];
    const int D = (q.depth + 1) / 2, H = (q.height + 1) / 2, W = (q.width + 1) / 2;
    const int pixels = q.depth * q.height * q.width, x = blockIdx.x * blockDim.x + threadIdx.x;
    if (x >= pixels) return;
    const Pixel at = pixel(x, q.height, q.width);
    const int half = (at.z / 2 * H + at.y / 2) * W + at.x / 2;

    for (int k = 0; k < q.labels; k++) {
        float v = u[k * (D * H * W) + half];
        if (feasible && !q.simplex) v = clamp(v, value(q.lower, k, at), value(q.upper, k, at));
        q.u[k * pixels + x] = v;
    }
    if (feasible && q.simplex) project_simplex(q, q.u + x, pixels, at);

    const float radius = feasible ? value(q.radius, 0, at) : 0.0f;
    for (int k = 0; k < q.labels; k++) {
        float square = 0;
        for (int i = 0; i < q.directions; i++) {
            const float *flow = p + (i * q.labels + k) * (D * H * W);
            float both = 0;
            if (within(q, neighbour(q, at, i, 1))) {
                int z = behind(at.z, q.offset[i][0]), y = behind(at.y, q.offset[i][1]), b = behind(at.x, q.offset[i][2]);
                bool inside = z >= 0 && z < D && y >= 0 && y < H && b >= 0 && b < W;
                both = flow[half] + (inside ? flow[(z * H + y) * W + b] : 0.0f);
            }
            q.p[(i * q.labels + k) * pixels + x] = both;
            square += both * both;
        }
        float scale = shorten(square, radius);
        for (int i = 0; feasible && i < q.directions; i++) {
            float *here = q.p + (i * q.labels + k) * pixels + x;
            *here = q.isotropic ? scale * *here : clamp(*here, -radius, radius);
        }
    }
}
