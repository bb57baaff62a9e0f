/* Up to DEPTH iterations a launch for planes with one label: blocked in time, in registers and shared memory.

   A block has SIDE x SIDE pixels, of which each iteration spoils one more at every edge that is not the image's: the inner
   SIDE - 2 DEPTH are written. A thread holds ROWS pixels of a column in registers; what neighbours need of each other goes
   through shared memory: u_bar to the dual step, p to the next primal one. Memory is touched once for all iterations.

   What is left is arithmetic, so it is kept short:

       v = shrink u - c + a_x (px - px_left) + a_y (py - py_up)      c = tau shrink cost,  a = tau shrink / h

   There are no branches for the image's ends: pixels beyond have radius 0, so that their p is 0 and
   stays it; and p is 0, and stays it, where a difference would reach beyond. */

#define STRIPS (SIDE / ROWS)

template <bool ISOTROPIC, bool HUBER>
__device__ inline void tile(const Problem *problems, int n, float rho, float last_rho, int flip)
{
    __shared__ float u_bar[SIDE][SIDE];
    __shared__ float p_x[SIDE][SIDE];
    __shared__ float p_y[STRIPS][SIDE]; /* the last row of each strip of ROWS rows */
    const Problem &q = problems[blockIdx.z];
    if (!q.active) return;
    const float *u_old = flip ? q.u_next : q.u, *p_old = flip ? q.p_next : q.p;
    float *u_next = flip ? q.u : q.u_next, *p_next = flip ? q.p : q.p_next;

    const int i = threadIdx.x, strip = threadIdx.y, row = strip * ROWS;
    const int x = int(blockIdx.x) * (SIDE - 2 * DEPTH) - DEPTH + i;
    const int y = int(blockIdx.y) * (SIDE - 2 * DEPTH) - DEPTH + row;
    const int pixels = q.height * q.width, bottom = q.height - 1 - y;
    /* At the tile's edges any neighbour will do; at the image's the pixel itself, so that the difference is 0. */
    const int left = max(i - 1, 0), right = i + 1 < SIDE && x + 1 < q.width ? i + 1 : i;
    const int above = max(strip - 1, 0), below = min(row + ROWS, SIDE - 1);

    const float shrink = 1.0f / (1.0f + q.tau * q.quadratic_weight), scaled = q.tau * shrink;
    const float a_y = scaled * q.step[0], a_x = scaled * q.step[1];
    const float sigma_y = q.sigma * q.step[0], sigma_x = q.sigma * q.step[1], sigma_huber = q.sigma * q.huber;

    float u[ROWS], px[ROWS], py[ROWS], c[ROWS], radius[ROWS], lower[ROWS], upper[ROWS];
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
        Pixel at = {0, y + k, x};
        bool inside = within(q, at);
        int here = inside ? index(q, at) : 0;
        u[k] = inside ? u_old[here] : 0.0f;
        py[k] = inside && k < bottom ? p_old[here] : 0.0f;
        px[k] = inside && x + 1 < q.width ? p_old[pixels + here] : 0.0f;
        c[k] = inside ? scaled * value(q.cost, 0, at) : 0.0f;
        radius[k] = inside ? value(q.radius, 0, at) : 0.0f;
        lower[k] = inside ? value(q.lower, 0, at) : 0.0f;
        upper[k] = inside ? value(q.upper, 0, at) : 0.0f;
        p_x[row + k][i] = px[k];
    }
    p_y[strip][i] = py[ROWS - 1];
    __syncthreads();

    for (int m = 0; m < n; m++) {
        const float r = m == n - 1 ? last_rho : rho;
        float bar[ROWS + 1];
        float py_up = p_y[above][i];
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            float v = shrink * u[k] - c[k];
            v += a_x * (px[k] - p_x[row + k][left]);
            v += a_y * (py[k] - py_up);
            const float u_new = clamp(v, lower[k], upper[k]);
            bar[k] = 2 * u_new - u[k];
            u[k] = relaxed(u[k], u_new, r);
            u_bar[row + k][i] = bar[k];
            py_up = py[k];
        }
        __syncthreads();

        bar[ROWS] = u_bar[below][i];
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            const float down = k == bottom ? bar[k] : bar[k + 1];
            float qx = px[k] + sigma_x * (u_bar[row + k][right] - bar[k]);
            float qy = py[k] + sigma_y * (down - bar[k]);
            if (HUBER) {
                const float less = rounded(radius[k], sigma_huber);
                qx *= less;
                qy *= less;
            }
            if (ISOTROPIC) {
                const float scale = shorten(qx * qx + qy * qy, radius[k]);
                qx *= scale;
                qy *= scale;
            } else {
                qx = clamp(qx, -radius[k], radius[k]);
                qy = clamp(qy, -radius[k], radius[k]);
            }
            px[k] = relaxed(px[k], qx, r);
            py[k] = relaxed(py[k], qy, r);
            p_x[row + k][i] = px[k];
        }
        p_y[strip][i] = py[ROWS - 1];
        __syncthreads();
    }

    if (i < DEPTH || i >= SIDE - DEPTH) return;
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
        Pixel at = {0, y + k, x};
        if (row + k < DEPTH || row + k >= SIDE - DEPTH || !within(q, at)) continue;
        int here = index(q, at);
        u_next[here] = u[k];
        p_next[here] = py[k];
        p_next[pixels + here] = px[k];
    }
}

#define TILE(name, isotropic, huber)                                                                                \
    extern "C" __global__ void __launch_bounds__(SIDE *STRIPS)                                                      \
        name(const Problem *problems, int n, float rho, float last_rho, int flip)                                   \
    {                                                                                                               \
        tile<isotropic, huber>(problems, n, rho, last_rho, flip);                                                   \
    }

TILE(tile_isotropic, true, false)
TILE(tile_isotropic_huber, true, true)
TILE(tile_anisotropic, false, false)
TILE(tile_anisotropic_huber, false, true)
