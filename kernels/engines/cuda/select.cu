// What remains of a tile of scores. A pair matters if score + slack reaches `low`, or the floor of its row or its
// column. Pointers that a question has no use for are null. All arrays are those of the part; i and j are places in it.

struct Part {
  const half_bits* tile;   // height x width, rows `stride` apart
  long long stride;
  int height, width, row, column;  // of the tile's first pair: row number of the part's first row, column's place
  const long long* numbers;        // of the columns where they do not follow each other, else null
  int first;                       // number of the part's first column
  int triangle;                    // only pairs whose column has the greater number
  const float *offset_row, *offset_column;
  const int *group_row, *group_column;
  const float *cap_row, *cap_column;
};

// The score of a pair; -inf where it does not count.
__device__ __forceinline__ float score_of(const Part& p, float product, int i, int j) {
  const int c = p.column + j;
  if (p.triangle && (p.numbers ? p.numbers[c] : (long long)p.first + c) <= (long long)p.row + i) return -INFINITY;
  if (p.group_row && p.group_row[i] == p.group_column[c]) return -INFINITY;
  if (p.offset_row) product += p.offset_row[i] + p.offset_column[c];
  if (p.cap_row) product = fminf(product, fminf(p.cap_row[i], p.cap_column[c]));
  return product;
}

#define PART                                                                                                         \
  const half_bits *tile, long long stride, int height, int width, int row, int column, const long long *numbers,     \
      int first, int triangle, const float *offset_row, const float *offset_column, const int *group_row,      \
      const int *group_column, const float *cap_row, const float *cap_column
#define THE_PART                                                                                                     \
  Part { tile, stride, height, width, row, column, numbers, first, triangle, offset_row, offset_column, group_row,   \
         group_column, cap_row, cap_column }

// Block: 256 threads, eight columns each; rows blockIdx.y, blockIdx.y + gridDim.y, ... `count` goes on counting beyond
// `capacity`, so that the caller knows the room that it takes. PLAIN: scores are products, and only `low` counts; the
// pairs of nearly all tiles are looked at in this way and no other.
template <bool PLAIN>
__device__ __forceinline__ void select(const Part& p, float low, float slack, const float* floor_row,
                                       const float* floor_column, unsigned long long* count,
                                       unsigned long long capacity, int* out_i, int* out_j, float* out_score) {
  const int j0 = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (j0 >= p.width) return;
  for (int i = blockIdx.y; i < p.height; i += gridDim.y) {
    const Eight product = *(const Eight*)(p.tile + i * p.stride + j0);
    if (PLAIN) {
      float largest = -INFINITY;
#pragma unroll
      for (int e = 0; e < 8; e++) largest = fmaxf(largest, to_float(product.value[e]));
      if (largest + slack < low) continue;
    }
    float score[8];
    unsigned hits = 0;
#pragma unroll
    for (int e = 0; e < 8; e++) {
      if (j0 + e >= p.width) break;
      score[e] = score_of(p, to_float(product.value[e]), i, j0 + e);
      float least = low;
      if (!PLAIN && floor_row) least = fminf(least, fminf(floor_row[i], floor_column[p.column + j0 + e]));
      hits |= (unsigned)(score[e] > -INFINITY && score[e] + slack >= least) << e;
    }
    if (!hits) continue;
    unsigned long long at = atomicAdd(count, (unsigned long long)__popc(hits));
#pragma unroll
    for (int e = 0; e < 8; e++)
      if (hits >> e & 1) {
        if (at < capacity) {
          out_i[at] = i;
          out_j[at] = p.column + j0 + e;
          out_score[at] = score[e];
        }
        at++;
      }
  }
}

#define SELECT(name, PLAIN)                                                                                          \
  extern "C" __global__ void name(PART, float low, float slack, const float* floor_row, const float* floor_column,   \
                                  unsigned long long* count, unsigned long long capacity, int* out_i, int* out_j,    \
                                  float* out_score) {                                                                \
    select<PLAIN>(THE_PART, low, slack, floor_row, floor_column, count, capacity, out_i, out_j, out_score);          \
  }
SELECT(select_plain, true)
SELECT(select_any, false)

// Raises the floor of each row (by_row) or column of the tile to what k of its pairs reach: the k-th largest of the
// maxima of as many groups as there are threads. One block a line; 1 <= k <= threads.
extern "C" __global__ void raise_floors(PART, int by_row, int k, float slack, float* floor) {
  const Part p = THE_PART;
  __shared__ float largest[1024];
  const int line = blockIdx.x, items = by_row ? width : height, t = threadIdx.x, threads = blockDim.x;
  float mine = -INFINITY;
  for (int at = t; at < items; at += threads) {
    const int i = by_row ? line : at, j = by_row ? at : line;
    mine = fmaxf(mine, score_of(p, to_float(tile[i * stride + j]), i, j));
  }
  largest[t] = mine;
  __syncthreads();
  int greater = 0;
  for (int other = 0; other < threads; other++)
    greater += largest[other] > mine || (largest[other] == mine && other < t);
  const int at = by_row ? line : column + line;
  if (greater == k - 1 && mine - slack > floor[at]) floor[at] = mine - slack;
}

// Tile of the number of equal entries of two rows of signatures. Block: 16 x 16 pairs.
extern "C" __global__ void equal_entries(const long long* x, const long long* y, int height, int width, int depth,
                                         half_bits* tile, long long stride) {
  __shared__ long long a[16][17], b[16][17];
  const int tx = threadIdx.x, ty = threadIdx.y, i = blockIdx.y * 16 + ty, j = blockIdx.x * 16 + tx;
  const int jr = blockIdx.x * 16 + ty;
  int equal = 0;
  for (int from = 0; from < depth; from += 16) {
    a[ty][tx] = i < height && from + tx < depth ? x[(long long)i * depth + from + tx] : 0;
    b[ty][tx] = jr < width && from + tx < depth ? y[(long long)jr * depth + from + tx] : 0;
    __syncthreads();
    for (int c = 0; c < 16 && from + c < depth; c++) equal += a[ty][c] == b[tx][c];
    __syncthreads();
  }
  if (i < height && j < width) tile[i * stride + j] = from_count(equal);
}
