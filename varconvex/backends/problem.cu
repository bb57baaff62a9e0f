/* The generic problem of `base.py` as the device sees it, and its pointwise formulas.

       min over u in C   <cost, u> + q/2 |u|^2 + sum_x radius(x) h(|grad u(x)|)

       u_new = Pi_C( (u - tau (cost - div p)) / (1 + tau q) )
       p_new = Pi_radius( (p + sigma grad(2 u_new - u)) / (1 + sigma huber / radius) )
       (u, p) += rho ((u_new, p_new) - (u, p))

   with q the quadratic weight. Arrays: u (labels, pixels), p (directions, labels, pixels), pixels in the order z, y, x;
   a plane has depth 1. The .cu files of this folder are one text, this one first. `cuda.py` puts them together, mirrors
   `Problem`, and defines SAFE, TINY, SIDE, ROWS, DEPTH and the sizes of structs. No GPU has run them yet; the tests run
   them on the host. */

#define MOST_DIRECTIONS 4

/* A field of the problem; a stride is 0 along an axis on which it is constant. */
struct Field {
    const float *data;
    int label, z, y, x;
};

struct Pixel {
    int z, y, x;
};

struct Problem {
    Field cost, radius, lower, upper;
    float *u, *p, *u_next, *p_next;
    int depth, height, width, labels, directions;
    int offset[MOST_DIRECTIONS][3];
    Pixel before, after; /* how far the offsets reach, back and ahead */
    float step[MOST_DIRECTIONS];
    float tau, sigma, quadratic_weight, huber;
    int isotropic, simplex, active;
};

static_assert(sizeof(Problem) == PROBLEM_BYTES, "Problem is not what cuda.py has");

__device__ inline float value(const Field &field, int label, Pixel at)
{
    return field.data[label * field.label + at.z * field.z + at.y * field.y + at.x * field.x];
}

__device__ inline bool within(const Problem &q, Pixel at)
{
    return at.z >= 0 && at.z < q.depth && at.y >= 0 && at.y < q.height && at.x >= 0 && at.x < q.width;
}

__device__ inline int index(const Problem &q, Pixel at)
{
    return (at.z * q.height + at.y) * q.width + at.x;
}

/* The pixel that lies at this place in the order z, y, x. */
__device__ inline Pixel pixel(int x, int height, int width)
{
    Pixel at = {x / width / height, x / width % height, x % width};
    return at;
}

/* The neighbour in direction i (sign 1), or the one that this pixel is the neighbour of (sign -1). */
__device__ inline Pixel neighbour(const Problem &q, Pixel at, int i, int sign)
{
    Pixel other = {at.z + sign * q.offset[i][0], at.y + sign * q.offset[i][1], at.x + sign * q.offset[i][2]};
    return other;
}

/* (div p)(x), the exact negative adjoint of the gradient: a flow counts where it has both ends. */
template <typename Real>
__device__ inline Real divergence(const Problem &q, const float *p, int label, Pixel at)
{
    int pixels = q.depth * q.height * q.width;
    Real div = 0;
    for (int i = 0; i < q.directions; i++) {
        const float *flow = p + (i * q.labels + label) * pixels;
        Pixel far = neighbour(q, at, i, 1), near = neighbour(q, at, i, -1);
        if (within(q, far)) div += Real(q.step[i]) * flow[index(q, at)];
        if (within(q, near)) div -= Real(q.step[i]) * flow[index(q, near)];
    }
    return div;
}

__device__ inline float clamp(float value, float low, float high)
{
    return fminf(fmaxf(value, low), high);
}

/* old + rho (next - old), so written that rho = 1 gives `next` to the last bit: then u and p end feasible. */
__device__ inline float relaxed(float old, float next, float rho)
{
    return next + (rho - 1) * (next - old);
}

/* By how much the ball's projection shortens a vector of this squared length. */
__device__ inline float shorten(float square, float radius)
{
    return fminf(1.0f, radius * rsqrtf(fmaxf(square, TINY)));
}

/* What Huber's term leaves of the dual vector before it is projected; 0 where the radius is. */
__device__ inline float rounded(float radius, float sigma_huber)
{
    return __fdividef(radius, fmaxf(radius + sigma_huber, TINY));
}

/* h(t): what a difference of this size is charged. */
__device__ inline double charge(double t, double huber)
{
    return t < huber ? t * t / (2 * huber) : t - huber / 2;
}

/* Nearest point of {w >= lower, sum over the labels of w = 1} to v, in place (Michelot 1986, doi:10.1007/BF00938486).
   theta starts as if no label were cut off; each round cuts off those below it, until none is. */
__device__ inline void project_simplex(const Problem &q, float *v, int stride, Pixel at)
{
    float free = 1, theta = 0;
    for (int k = 0; k < q.labels; k++) {
        float low = value(q.lower, k, at);
        free -= low;
        v[k * stride] -= low;
        theta += v[k * stride];
    }
    theta = (theta - free) / q.labels;
    for (int kept = q.labels;;) {
        float sum = -free;
        int left = 0;
        for (int k = 0; k < q.labels; k++) {
            if (v[k * stride] > theta) {
                sum += v[k * stride];
                left++;
            }
        }
        if (left == 0 || left >= kept) break;
        kept = left;
        theta = sum / left;
    }
    for (int k = 0; k < q.labels; k++) {
        v[k * stride] = value(q.lower, k, at) + fmaxf(v[k * stride] - theta, 0.0f);
    }
}
