// Pairs of bit strings that differ in few bits, on the tensor cores: bits are +1 and -1 in int8, so that a product of two
// rows is bits - 2 * differing, exactly. Nothing is written but the pairs that count.

// c += a b for a 16 x 32 tile of a and a 32 x 8 tile of b (PTX ISA, mma.m16n8k32 with .s8; the layout of the fragments is
// spelled out below, where the host takes the place of the instruction).
__device__ __forceinline__ void multiply_add(int c[4], const unsigned a[4], const unsigned b[2]) {
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  // Lane l holds of a the rows l / 4 and l / 4 + 8, of b the column l / 4; of each the bytes 4 (l % 4) .. + 3 of both
  // halves; and of c the columns 2 (l % 4) and + 1 of its two rows.
  const int lane = threadIdx.x & 31;
  for (int out = 0; out < 4; out++) {
    const int row = out / 2, column = lane % 4 * 2 + out % 2;
    for (int part = 0; part < 4; part++)
      for (int half = 0; half < 2; half++) {
        const unsigned x0 = __shfl_sync(~0u, a[half * 2], lane / 4 * 4 + part);
        const unsigned x1 = __shfl_sync(~0u, a[half * 2 + 1], lane / 4 * 4 + part);
        const unsigned y = __shfl_sync(~0u, b[half], column * 4 + part), x = row ? x1 : x0;
        for (int byte = 0; byte < 4; byte++)
          c[out] += (int)(signed char)(x >> 8 * byte) * (int)(signed char)(y >> 8 * byte);
      }
  }
#endif
}

#define TALL 4  // tiles of 16 rows that a warp holds in registers

// x, y: rows of `steps` * 32 signed bytes (words of 4). Block: `blockDim.x / 32` warps of 64 rows each, and the columns
// from blockIdx.y * columns on. Pairs with product >= low; i, j are places in the part.
template <int STEPS>
__device__ __forceinline__ void select_near(const unsigned* x, const unsigned* y, int height, int width, int columns,
                                            int row, int first, int triangle, int low, unsigned long long* count,
                                            unsigned long long capacity, int* out_i, int* out_j, float* out_score) {
  const int lane = threadIdx.x & 31, group = lane >> 2, quarter = lane & 3;
  const int top = (blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5)) * 16 * TALL;
  if (top >= height) return;
  unsigned a[TALL][STEPS][4];
  for (int t = 0; t < TALL; t++)
    for (int s = 0; s < STEPS; s++)
      for (int q = 0; q < 4; q++) {
        const int r = top + t * 16 + group + (q & 1) * 8;
        a[t][s][q] = r < height ? x[((long long)r * STEPS + s) * 8 + (q >> 1) * 4 + quarter] : 0;
      }
  const int end = min(width, (int)(blockIdx.y + 1) * columns);
  for (int left = blockIdx.y * columns; left < end; left += 8) {
    if (triangle && first + left + 7 <= row + top) continue;
    unsigned b[STEPS][2];
    const int c = left + group;
    for (int s = 0; s < STEPS; s++)
      for (int half = 0; half < 2; half++)
        b[s][half] = c < width ? y[((long long)c * STEPS + s) * 8 + half * 4 + quarter] : 0;
    __syncwarp();  // lanes that wrote pairs come back: the product is the warp's
    int acc[TALL][4], largest = -2147483647;
#pragma unroll
    for (int t = 0; t < TALL; t++) {
      for (int e = 0; e < 4; e++) acc[t][e] = 0;
#pragma unroll
      for (int s = 0; s < STEPS; s++) multiply_add(acc[t], a[t][s], b[s]);
      for (int e = 0; e < 4; e++) largest = max(largest, acc[t][e]);
    }
    if (largest < low) continue;
    for (int t = 0; t < TALL; t++)
      for (int e = 0; e < 4; e++) {
        const int i = top + t * 16 + group + (e >> 1) * 8, j = left + quarter * 2 + (e & 1);
        if (acc[t][e] < low || i >= height || j >= end || (triangle && first + j <= row + i)) continue;
        const unsigned long long at = atomicAdd(count, 1ull);
        if (at < capacity) {
          out_i[at] = i;
          out_j[at] = j;
          out_score[at] = (float)acc[t][e];
        }
      }
  }
}

#define NEAR(name, STEPS)                                                                                           \
  extern "C" __global__ void name(const unsigned* x, const unsigned* y, int height, int width, int columns, int row, \
                                  int first, int triangle, int low, unsigned long long* count,                      \
                                  unsigned long long capacity, int* out_i, int* out_j, float* out_score) {          \
    select_near<STEPS>(x, y, height, width, columns, row, first, triangle, low, count, capacity, out_i, out_j,      \
                       out_score);                                                                                  \
  }
NEAR(near_32, 1)
NEAR(near_64, 2)
NEAR(near_128, 4)
NEAR(near_256, 8)
