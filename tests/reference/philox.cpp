// cuRAND's own Philox4x32-10 and Box-Muller, from its headers, built for the processor. Reads lines "seed subsequence offset"; writes,
// for each, four random words and four normals (as the bits of float32), in hexadecimal.
#define QUALIFIERS static inline
#include <cuda_runtime.h>
#include <curand_kernel.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

static unsigned bits(float value) {
    unsigned word;
    std::memcpy(&word, &value, sizeof word);
    return word;
}

int main() {
    uint64_t seed, subsequence, offset;
    while (std::scanf("%" SCNu64 "%" SCNu64 "%" SCNu64, &seed, &subsequence, &offset) == 3) {
        curandStatePhilox4_32_10_t state;
        curand_init(seed, subsequence, offset, &state);
        uint4 word = curand4(&state);
        curand_init(seed, subsequence, offset, &state);
        float4 normal = curand_normal4(&state);
        std::printf("%08x %08x %08x %08x %08x %08x %08x %08x\n", word.x, word.y, word.z, word.w,
                    bits(normal.x), bits(normal.y), bits(normal.z), bits(normal.w));
    }
}
