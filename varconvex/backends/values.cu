/* Primal and dual value of a feasible pair, summed in float64, in an order that depends on nothing but the size.

       primal = sum_x  cost u + q/2 u^2 + radius h(|grad u|)
       dual   = sum_x  min over v in C of ((cost - div p) v + q/2 v^2) - huber |p|^2 / (2 radius)

   Each block adds up its share of the pixels and leaves two numbers; `fold` adds those of each problem. A problem
   without u (or p) has no primal (or dual) value, and gets 0. */

#define ADDERS 256

/* u, or, with a threshold, the mask Pi_C(u > threshold) of one label. */
__device__ inline double shown(const Problem &q, int label, Pixel at, const float *threshold)
{
    float u = q.u[label * (q.depth * q.height * q.width) + index(q, at)];
    if (!threshold) return u;
    return clamp(u > *threshold ? 1.0f : 0.0f, value(q.lower, label, at), value(q.upper, label, at));
}

__device__ inline double primal_at(const Problem &q, Pixel at, const float *threshold)
{
    double huber = q.huber, total = 0, radius = value(q.radius, 0, at);
    for (int k = 0; k < q.labels; k++) {
        double here = shown(q, k, at, threshold), square = 0, charged = 0;
        for (int i = 0; i < q.directions; i++) {
            Pixel far = neighbour(q, at, i, 1);
            if (!within(q, far)) continue;
            double rise = q.step[i] * (shown(q, k, far, threshold) - here);
            square += rise * rise;
            charged += charge(fabs(rise), huber);
        }
        if (q.isotropic) charged = charge(sqrt(square), huber);
        total += here * (value(q.cost, k, at) + 0.5 * q.quadratic_weight * here) + radius * charged;
    }
    return total;
}

__device__ inline double dual_at(const Problem &q, Pixel at)
{
    int pixels = q.depth * q.height * q.width, x = index(q, at);
    double total = 0, square = 0, free = 1, least = 0;
    for (int k = 0; k < q.labels; k++) {
        double slope = value(q.cost, k, at) - SAFE * divergence<double>(q, q.p, k, at);
        double lower = value(q.lower, k, at);
        if (q.simplex) {
            least = k == 0 ? slope : fmin(least, slope);
            free -= lower;
            total += lower * slope;
        } else {
            double upper = value(q.upper, k, at), best = slope > 0 ? lower : upper;
            if (q.quadratic_weight > 0) best = fmin(fmax(-slope / q.quadratic_weight, lower), upper);
            total += best * (slope + 0.5 * q.quadratic_weight * best);
        }
        for (int i = 0; i < q.directions; i++) {
            double flow = SAFE * q.p[(i * q.labels + k) * pixels + x];
            square += flow * flow;
        }
    }
    if (q.huber > 0) total -= 0.5 * q.huber * square / fmax(double(value(q.radius, 0, at)), double(TINY));
    return q.simplex ? total + free * least : total;
}

/* The sum over the block, by halves, in thread 0. */
__device__ inline double block_sum(double mine)
{
    __shared__ double sums[ADDERS];
    sums[threadIdx.x] = mine;
    __syncthreads();
    for (int half = ADDERS / 2; half > 0; half /= 2) {
        if (int(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    double sum = sums[0];
    __syncthreads(); /* all threads must have read this sum before the next one begins */
    return sum;
}

/* With `levels` of the masks of the first problem's u at these thresholds, one a row of blocks. */
extern "C" __global__ void values(const Problem *problems, const float *levels, double *shares)
{
    const Problem &q = problems[levels ? 0 : blockIdx.y];
    const float *threshold = levels ? levels + blockIdx.y : nullptr;
    double primal = 0, dual = 0;
    for (int x = blockIdx.x * ADDERS + threadIdx.x; x < q.depth * q.height * q.width; x += gridDim.x * ADDERS) {
        const Pixel at = pixel(x, q.height, q.width);
        if (q.u) primal += primal_at(q, at, threshold);
        if (q.p) dual += dual_at(q, at);
    }
    primal = block_sum(primal);
    dual = block_sum(dual);
    if (threadIdx.x == 0) {
        shares[(2 * blockIdx.y) * gridDim.x + blockIdx.x] = primal;
        shares[(2 * blockIdx.y + 1) * gridDim.x + blockIdx.x] = dual;
    }
}

extern "C" __global__ void fold(const double *shares, int count, double *sums)
{
    double mine = 0;
    for (int i = threadIdx.x; i < count; i += ADDERS) mine += shares[blockIdx.x * count + i];
    double sum = block_sum(mine);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
