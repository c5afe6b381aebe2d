// Sums over the columns of two rows, in float64 and in the order of the columns, each product and each sum rounded once
// (no fused multiply-add: compiled with --fmad=false). A warp takes 32 pairs: its lanes read a row together and write
// the products side by side; then each lane adds up those of one pair.

__device__ __forceinline__ double wide(half_bits v) { return (double)to_float(v); }
__device__ __forceinline__ double wide(float v) { return (double)v; }
__device__ __forceinline__ double wide(double v) { return v; }

#define WARPS 4

template <class T>
__device__ __forceinline__ void sums(const T* rows, long long depth, const long long* i, const long long* j,
                                     long long pairs, int distance, double* out) {
  __shared__ double product[WARPS][32][33];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const long long first = ((long long)blockIdx.x * WARPS + warp) * 32;
  if (first >= pairs) return;  // whole warps leave, and no barrier is the block's
  double(*mine)[33] = product[warp];
  double total = 0;
  for (long long from = 0; from < depth; from += 32) {
    for (int p = 0; p < 32 && first + p < pairs; p++) {
      double value = 0;
      if (from + lane < depth) {
        const double x = wide(rows[i[first + p] * depth + from + lane]);
        const double y = wide(rows[j[first + p] * depth + from + lane]);
        value = distance ? (x - y) * (x - y) : x * y;
      }
      mine[p][lane] = value;
    }
    __syncwarp();
    for (int c = 0; c < 32 && from + c < depth; c++) total += mine[lane][c];
    __syncwarp();
  }
  if (first + lane < pairs) out[first + lane] = total;
}

#define SUMS(name, T)                                                                                              \
  extern "C" __global__ void name(const T* rows, long long depth, const long long* i, const long long* j,          \
                                  long long pairs, int distance, double* out) {                                    \
    sums<T>(rows, depth, i, j, pairs, distance, out);                                                              \
  }
SUMS(sums_half, half_bits)
SUMS(sums_float, float)
SUMS(sums_double, double)

// Products of pairs of rows of a screen, in float32 and in no set order. One warp a pair; rows of whole eights.
extern "C" __global__ void products(const half_bits* left, const half_bits* right, long long depth, const long long* i,
                                    const long long* j, long long pairs, float* out) {
  const int lane = threadIdx.x & 31;
  const long long pair = (blockIdx.x * (long long)blockDim.x + threadIdx.x) >> 5;
  if (pair >= pairs) return;  // whole warps leave
  const half_bits *x = left + i[pair] * depth, *y = right + j[pair] * depth;
  float total = 0;
  for (long long at = lane * 8; at < depth; at += 256) {
    const Eight a = *(const Eight*)(x + at), b = *(const Eight*)(y + at);
#pragma unroll
    for (int e = 0; e < 8; e++) total += to_float(a.value[e]) * to_float(b.value[e]);
  }
#pragma unroll
  for (int off = 16; off; off /= 2) total += __shfl_xor_sync(~0u, total, off);
  if (lane == 0) out[pair] = total;
}
