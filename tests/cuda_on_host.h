/* The little of CUDA that the kernels use, for a C++ compiler: one block after the other, in any order, and a block's
   threads as fibers that give way at __syncthreads. Each time they go on in another order, so that a missing
   __syncthreads gives another answer. A block that some threads have left while others wait is an error. */

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__ static
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
};
static dim3 gridDim, blockDim, blockIdx, threadIdx;

using std::max;
using std::min;
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline float __fdividef(float x, float y) { return x / y; }

/* extern __shared__ T name[] becomes T *name = dynamic_shared(). */
static std::vector<char> dynamic_memory;
template <typename T> static T *dynamic_shared() { return reinterpret_cast<T *>(dynamic_memory.data()); }

namespace host {

struct Fiber {
    ucontext_t begin;
    jmp_buf here;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    bool begun = false, done = true;
};

static jmp_buf scheduler;
static std::vector<Fiber> fibers(1024);
static Fiber *current;
static std::function<void()> body;
static std::mt19937 order(7);

/* A fiber lives on from block to block: beginning one is dear, going on is cheap. */
static void live()
{
    for (;;) {
        body();
        current->done = true;
        if (!_setjmp(current->here)) _longjmp(scheduler, 1);
    }
}

static void go_on(Fiber &fiber)
{
    current = &fiber;
    if (_setjmp(scheduler)) return;
    if (fiber.begun) _longjmp(fiber.here, 1);
    fiber.begun = true;
    getcontext(&fiber.begin);
    fiber.begin.uc_stack.ss_sp = fiber.stack.data();
    fiber.begin.uc_stack.ss_size = fiber.stack.size();
    makecontext(&fiber.begin, live, 0);
    setcontext(&fiber.begin);
}

/* False if some threads have ended where others wait for them. */
static bool run_block()
{
    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    std::vector<unsigned> threads(count);
    std::iota(threads.begin(), threads.end(), 0u);
    for (unsigned t : threads) fibers[t].done = false;
    std::fill(dynamic_memory.begin(), dynamic_memory.end(), char(0xff)); /* NaNs: shared memory begins with rubbish */
    for (unsigned ended = 0; ended < count;) {
        if (ended) return false;
        std::shuffle(threads.begin(), threads.end(), order);
        for (unsigned t : threads) {
            threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
            go_on(fibers[t]);
            ended += fibers[t].done;
        }
    }
    return true;
}

template <typename... A, size_t... I>
static bool launch(void (*kernel)(A...), void **args, std::index_sequence<I...>)
{
    body = [=] { kernel(*static_cast<std::remove_reference_t<A> *>(args[I])...); };
    std::vector<unsigned> blocks(gridDim.x * gridDim.y * gridDim.z);
    std::iota(blocks.begin(), blocks.end(), 0u);
    std::shuffle(blocks.begin(), blocks.end(), order);
    for (unsigned b : blocks) {
        blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
        if (run_block()) continue;
        for (Fiber &fiber : fibers) fiber.begun = fiber.begun && fiber.done; /* the others are left where they are */
        return false;
    }
    return true;
}

template <typename... A>
static bool launch(void (*kernel)(A...), dim3 grid, dim3 block, size_t shared, void **args)
{
    gridDim = grid;
    blockDim = block;
    dynamic_memory.resize(shared);
    return launch(kernel, args, std::index_sequence_for<A...>());
}

} // namespace host

static void __syncthreads()
{
    if (!_setjmp(host::current->here)) _longjmp(host::scheduler, 1);
}

#define HOST_LAUNCH(kernel)                                                                                           \
    extern "C" bool launch_##kernel(dim3 grid, dim3 block, size_t shared, void **args)                                \
    {                                                                                                                 \
        return host::launch(kernel, grid, block, shared, args);                                                       \
    }
