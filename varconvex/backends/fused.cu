/* One iteration a launch, u and p read once and written once, for any problem that `Problem` can express.

   A thread is a pixel. It computes u_bar = 2 u_new - u there, for all labels, into shared memory; then the threads whose
   neighbours are in the block as well take the dual step. So blocks overlap by the reach of the differences, and what lies
   in the overlap is computed twice. From (u, p) into (u_next, p_next), or back if `flip`: a block must not see what
   another has already written. */

extern "C" __global__ void __launch_bounds__(1024) fused(const Problem *problems, int layers, float rho, int flip)
{
    extern __shared__ float u_bar[]; /* (labels, threads) */
    const Problem &q = problems[blockIdx.z / layers];
    if (!q.active) return;
    const float *u = flip ? q.u_next : q.u, *p = flip ? q.p_next : q.p;
    float *u_next = flip ? q.u : q.u_next, *p_next = flip ? q.p : q.p_next;

    const Pixel before = q.before, after = q.after;
    int threads = blockDim.x * blockDim.y * blockDim.z;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    Pixel at = {
        int(blockIdx.z % layers * (blockDim.z - before.z - after.z) + threadIdx.z) - before.z,
        int(blockIdx.y * (blockDim.y - before.y - after.y) + threadIdx.y) - before.y,
        int(blockIdx.x * (blockDim.x - before.x - after.x) + threadIdx.x) - before.x,
    };
    bool inside = within(q, at);
    bool mine = inside && int(threadIdx.z) >= before.z && int(threadIdx.z) < int(blockDim.z) - after.z &&
                int(threadIdx.y) >= before.y && int(threadIdx.y) < int(blockDim.y) - after.y &&
                int(threadIdx.x) >= before.x && int(threadIdx.x) < int(blockDim.x) - after.x;
    int pixels = q.depth * q.height * q.width, x = index(q, at);
    float *v = u_bar + thread;

    if (inside) {
        float shrink = 1.0f / (1.0f + q.tau * q.quadratic_weight);
        for (int k = 0; k < q.labels; k++) {
            float slope = value(q.cost, k, at) - divergence<float>(q, p, k, at);
            v[k * threads] = (u[k * pixels + x] - q.tau * slope) * shrink;
        }
        if (q.simplex) project_simplex(q, v, threads, at);
        for (int k = 0; k < q.labels; k++) {
            float old = u[k * pixels + x], u_new = v[k * threads];
            if (!q.simplex) u_new = clamp(u_new, value(q.lower, k, at), value(q.upper, k, at));
            v[k * threads] = 2 * u_new - old;
            if (mine) u_next[k * pixels + x] = relaxed(old, u_new, rho);
        }
    }
    __syncthreads();
    if (!mine) return;

    float radius = value(q.radius, 0, at);
    float shrink = q.huber > 0 ? rounded(radius, q.sigma * q.huber) : 1.0f;
    for (int k = 0; k < q.labels; k++) {
        float p_new[MOST_DIRECTIONS], square = 0;
#pragma unroll
        for (int i = 0; i < MOST_DIRECTIONS; i++) {
            if (i >= q.directions) break;
            float rise = 0;
            if (within(q, neighbour(q, at, i, 1))) {
                int away = (q.offset[i][0] * int(blockDim.y) + q.offset[i][1]) * int(blockDim.x) + q.offset[i][2];
                rise = q.step[i] * (v[k * threads + away] - v[k * threads]);
            }
            p_new[i] = (p[(i * q.labels + k) * pixels + x] + q.sigma * rise) * shrink;
            square += p_new[i] * p_new[i];
        }
        float scale = shorten(square, radius);
#pragma unroll
        for (int i = 0; i < MOST_DIRECTIONS; i++) {
            if (i >= q.directions) break;
            int here = (i * q.labels + k) * pixels + x;
            p_new[i] = q.isotropic ? scale * p_new[i] : clamp(p_new[i], -radius, radius);
            p_next[here] = relaxed(p[here], p_new[i], rho);
        }
    }
}
