/* The mean kernel of Nieuwenhuis' and Cremers' density in the log domain (doi:10.1109/TPAMI.2012.183).

       out(x) = log 1/m sum_j exp(-w(x) |x - x_j|^2 - |c(x) - c_j|^2)

   A thread is a pixel; the block fetches seeds together, a few hundred at a time. Exponents are taken in groups, with the
   least one so far factored out (a streaming log-sum-exp), so that nothing underflows. */

#define MOST_FEATURES 12
#define SEEDS 256
#define GROUP 8
#define ABSENT 3e38f /* an exponent that adds nothing and is never the least */

extern "C" __global__ void kernel_sum(const float *points, const float *weight, const float *seeds, int n, int m,
                                      int features, int axes, float *out)
{
    __shared__ float shared[MOST_FEATURES][SEEDS];
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    float point[MOST_FEATURES], w = x < n ? weight[x] : 0.0f;
#pragma unroll
    for (int f = 0; f < MOST_FEATURES; f++) point[f] = x < n && f < features ? points[x * features + f] : 0.0f;

    float least = ABSENT, total = 0;
    for (int start = 0; start < m; start += SEEDS) {
        const int count = min(SEEDS, m - start);
        for (int j = threadIdx.x; j < count; j += blockDim.x) {
            for (int f = 0; f < features; f++) shared[f][j] = seeds[f * m + start + j];
        }
        __syncthreads();
        for (int j = 0; j < count; j += GROUP) {
            float e[GROUP], low = least;
#pragma unroll
            for (int g = 0; g < GROUP; g++) {
                float away = 0, other = 0;
#pragma unroll
                for (int f = 0; f < MOST_FEATURES; f++) {
                    if (f >= features) break;
                    const float difference = shared[f][j + g] - point[f];
                    if (f < axes) away += difference * difference;
                    else other += difference * difference;
                }
                e[g] = j + g < count ? w * away + other : ABSENT; /* a last group need not be full */
                low = fminf(low, e[g]);
            }
            float sum = 0;
#pragma unroll
            for (int g = 0; g < GROUP; g++) sum += expf(low - e[g]);
            total = total * expf(low - least) + sum;
            least = low;
        }
        __syncthreads();
    }
    if (x < n) out[x] = logf(total) - least - logf(float(m));
}
