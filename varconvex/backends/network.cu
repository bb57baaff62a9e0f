/* A convex network's values, slopes and steps; `base.py` is the specification.

       z_1 = relu(W0 x + b0),   z_{i+1} = relu(Wz_i z_i + Wx_i x + b_i),   G = Wz_k z_k + Wx_k x + b_k
       dL/dG(x_i) = -1/n cost_i u_i (1 - u_i),   u = sigma(-s G)

   A block takes POINTS points forward and back. All activations lie in shared memory, a row a unit, a column a point;
   on the way back each row is overwritten by the derivative to it. A warp takes a unit, a lane a point: so weights are
   read by a whole warp at once, and rows without a conflict. For the parameters' gradient a thread takes a parameter and
   goes along two rows; rows are one longer than a warp, so that these do not conflict either. Each block leaves its
   share of the gradient and of L, which are added up in an order that depends on nothing but the number of points. */

#define POINTS 32
#define ROW (POINTS + 1)

/* The network, the points and Adam, as cuda_networks.py has them; addresses are of float or double. */
struct Training {
    const void *x, *cost;
    void *theta, *m, *v, *g, *slope, *shares, *sum;
    const int *widths;                /* of the layers, the last 1 */
    const unsigned char *nonnegative; /* which parameters are weights Wz */
    double sharpness, steepest, rate, beta1, beta2;
    int points, dim, layers, parameters, t;
};

static_assert(sizeof(Training) == TRAINING_BYTES, "Training is not what cuda_networks.py has");

namespace network {

/* Of one block: its rows in shared memory, and where in theta the layer at hand lies. */
template <typename Real>
struct Tile {
    const Training &q;
    Real *x, *slope, *z; /* (dim), (dim) and (sum of the widths) rows */
    int lane, warp, warps, first, below;
};

template <typename Real>
__device__ inline Tile<Real> tile_of(const Training &q, Real *shared)
{
    Tile<Real> t = {q, shared, shared + q.dim * ROW, shared + 2 * q.dim * ROW,
                    int(threadIdx.x % POINTS), int(threadIdx.x / POINTS), int(blockDim.x / POINTS), 0, 0};
    const int point = blockIdx.x * POINTS + t.lane;
    for (int i = t.warp; i < q.dim; i += t.warps) {
        t.x[i * ROW + t.lane] = point < q.points ? static_cast<const Real *>(q.x)[point * q.dim + i] : Real(0);
        t.slope[i * ROW + t.lane] = 0;
    }
    __syncthreads();
    return t;
}

/* All activations; afterwards `z` is the row of G, `first` the last layer's place, `below` the width under it. */
template <typename Real>
__device__ inline void forward(Tile<Real> &t)
{
    const Training &q = t.q;
    const Real *weights = static_cast<const Real *>(q.theta), *under = t.z;
    for (int i = 0; i < q.layers; i++) {
        const int width = q.widths[i];
        const Real *wz = weights + t.first, *wx = wz + width * t.below, *b = wx + width * q.dim;
        for (int unit = t.warp; unit < width; unit += t.warps) {
            Real a = b[unit];
            for (int k = 0; k < q.dim; k++) a += wx[unit * q.dim + k] * t.x[k * ROW + t.lane];
            for (int k = 0; k < t.below; k++) a += wz[unit * t.below + k] * under[k * ROW + t.lane];
            t.z[unit * ROW + t.lane] = i + 1 < q.layers && a < 0 ? Real(0) : a;
        }
        __syncthreads();
        if (i + 1 == q.layers) break;
        t.first += width * (t.below + q.dim + 1);
        t.below = width;
        under = t.z;
        t.z += width * ROW;
    }
}

/* From a layer whose rows `z` hold the derivatives to the one under it, whose activations become derivatives. */
template <typename Real>
__device__ inline void backward(Tile<Real> &t, int layer)
{
    const int width = t.q.widths[layer];
    const Real *wz = static_cast<const Real *>(t.q.theta) + t.first, *over = t.z;
    t.z -= t.below * ROW;
    for (int unit = t.warp; unit < t.below; unit += t.warps) {
        Real *here = t.z + unit * ROW + t.lane, sum = 0;
        for (int k = 0; k < width; k++) sum += over[k * ROW + t.lane] * wz[k * t.below + unit];
        *here = *here > 0 ? sum : Real(0);
    }
    const int lower = layer > 1 ? t.q.widths[layer - 2] : 0;
    t.first -= t.below * (lower + t.q.dim + 1);
    t.below = lower;
    __syncthreads();
}

/* G, and its slopes if q.slope is set. */
template <typename Real>
__device__ inline void values(const Training &q, Real *shared)
{
    Tile<Real> t = tile_of(q, shared);
    forward(t);
    const int point = blockIdx.x * POINTS + t.lane;
    if (t.warp == 0) {
        if (point < q.points) static_cast<Real *>(q.g)[point] = t.z[t.lane];
        t.z[t.lane] = 1;
    }
    if (!q.slope) return;
    __syncthreads();
    for (int layer = q.layers - 1;; layer--) {
        const int width = q.widths[layer];
        const Real *wx = static_cast<const Real *>(q.theta) + t.first + width * t.below;
        for (int i = t.warp; i < q.dim; i += t.warps) {
            for (int k = 0; k < width; k++) t.slope[i * ROW + t.lane] += t.z[k * ROW + t.lane] * wx[k * q.dim + i];
        }
        if (layer == 0) break;
        backward(t, layer);
    }
    for (int i = t.warp; i < q.dim && point < q.points; i += t.warps) {
        static_cast<Real *>(q.slope)[point * q.dim + i] = t.slope[i * ROW + t.lane];
    }
}

/* This block's share of the gradient of L, and behind it of L. */
template <typename Real>
__device__ inline void gradient(const Training &q, Real *shared)
{
    if (int(blockIdx.x) * POINTS >= q.points) return;
    Real *share = static_cast<Real *>(q.shares) + blockIdx.x * (q.parameters + 1);
    Tile<Real> t = tile_of(q, shared);
    forward(t);
    if (t.warp == 0) {
        const int point = blockIdx.x * POINTS + t.lane;
        const Real cost = point < q.points ? static_cast<const Real *>(q.cost)[point] / q.points : Real(0);
        const Real steepest = q.steepest, sg = Real(q.sharpness) * t.z[t.lane];
        const Real u = 1 / (1 + exp(fmin(fmax(sg, -steepest), steepest)));
        t.z[t.lane] = cost * u * (u - 1);
        t.slope[t.lane] = cost * u / Real(q.sharpness);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        Real loss = 0;
        for (int k = 0; k < POINTS; k++) loss += t.slope[k];
        share[q.parameters] = loss;
    }
    for (int layer = q.layers - 1;; layer--) {
        const int width = q.widths[layer], to_z = width * t.below, to_x = to_z + width * q.dim;
        const Real *under = t.z - t.below * ROW;
        for (int at = threadIdx.x; at < to_x + width; at += blockDim.x) {
            int unit = at - to_x;
            const Real *other = nullptr; /* of a bias: 1 */
            if (at < to_z) {
                unit = at / t.below;
                other = under + at % t.below * ROW;
            } else if (at < to_x) {
                unit = (at - to_z) / q.dim;
                other = t.x + (at - to_z) % q.dim * ROW;
            }
            const Real *mine = t.z + unit * ROW;
            Real sum = 0;
            for (int k = 0; k < POINTS; k++) sum += mine[k] * (other ? other[k] : Real(1));
            share[t.first + at] = sum;
        }
        if (layer == 0) break;
        __syncthreads();
        backward(t, layer);
    }
}

/* The sum of all blocks' shares of one number. */
template <typename Real>
__device__ inline Real sum_of_shares(const Training &q, int at)
{
    Real sum = 0;
    for (int block = 0; block * POINTS < q.points; block++) {
        sum += static_cast<const Real *>(q.shares)[block * (q.parameters + 1) + at];
    }
    return sum;
}

template <typename Real>
__device__ inline void sum_shares(const Training &q)
{
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at <= q.parameters) static_cast<Real *>(q.sum)[at] = sum_of_shares<Real>(q, at);
}

/* The k-th step of Adam after the t-th (shapes/training.py), and Wz held at zero or above. */
template <typename Real>
__device__ inline void step(const Training &q, int k)
{
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= q.parameters) return;
    const Real gradient = sum_of_shares<Real>(q, at);
    Real *m = static_cast<Real *>(q.m) + at, *v = static_cast<Real *>(q.v) + at;
    *m += Real(1 - q.beta1) * (gradient - *m);
    *v += Real(1 - q.beta2) * (gradient * gradient - *v);
    const int t = q.t + k + 1;
    const Real mean = *m / Real(1 - pow(q.beta1, double(t))), square = *v / Real(1 - pow(q.beta2, double(t)));
    Real *theta = static_cast<Real *>(q.theta) + at;
    const Real next = *theta - Real(q.rate) * (mean / (sqrt(square) + Real(1e-10)));
    *theta = q.nonnegative[at] && next < 0 ? Real(0) : next;
}

} // namespace network

/* Writes what the next launches compute with; as a kernel, it does not have to wait for a copy from the host. */
extern "C" __global__ void network_tell(Training training, Training *place)
{
    *place = training;
}

#define NETWORK(Real)                                                                                               \
    extern "C" __global__ void network_values_##Real(const Training *training)                                      \
    {                                                                                                               \
        extern __shared__ double rows[];                                                                            \
        network::values(*training, reinterpret_cast<Real *>(rows));                                                 \
    }                                                                                                               \
    extern "C" __global__ void network_gradient_##Real(const Training *training)                                    \
    {                                                                                                               \
        extern __shared__ double rows[];                                                                            \
        network::gradient(*training, reinterpret_cast<Real *>(rows));                                               \
    }                                                                                                               \
    extern "C" __global__ void network_sum_##Real(const Training *training)                                         \
    {                                                                                                               \
        network::sum_shares<Real>(*training);                                                                       \
    }                                                                                                               \
    extern "C" __global__ void network_step_##Real(const Training *training, int k)                                 \
    {                                                                                                               \
        network::step<Real>(*training, k);                                                                          \
    }

NETWORK(float)
NETWORK(double)
