// Union of components, neighbour counts, and lists of best neighbours.

// parent[x] <= x always, so that the root of a component is its least node (Jaiganesh and Burtscher, "A high-performance
// connected components implementation for GPUs", HPDC 2018: hooking by compare-and-swap, halving of paths).
__device__ long long root_of(long long* parent, long long x) {
  long long up = parent[x];
  while (up != x) {
    const long long further = parent[up];
    if (further != up) parent[x] = further;
    x = up;
    up = further;
  }
  return x;
}

extern "C" __global__ void unite(long long* parent, const long long* i, const long long* j, long long edges) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= edges) return;
  long long a = root_of(parent, i[at]), b = root_of(parent, j[at]);
  while (a != b) {
    if (a < b) {
      const long long swap = a;
      a = b;
      b = swap;
    }
    const unsigned long long before =
        atomicCAS((unsigned long long*)&parent[a], (unsigned long long)a, (unsigned long long)b);
    if (before == (unsigned long long)a) return;
    a = root_of(parent, (long long)before);
    b = root_of(parent, b);
  }
}

extern "C" __global__ void flatten(const long long* parent, long long nodes, long long* label) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= nodes) return;
  long long x = at;
  while (parent[x] != x) x = parent[x];
  label[at] = x;
}

// Adds to the counts of both rows of each pair the weight of the other.
extern "C" __global__ void tally(unsigned long long* counts, const long long* weights, const long long* i,
                                 const long long* j, long long pairs) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= pairs) return;
  atomicAdd(&counts[i[at]], (unsigned long long)weights[j[at]]);
  atomicAdd(&counts[j[at]], (unsigned long long)weights[i[at]]);
}

// Puts candidates into sorted lists of k: larger value first, then the lesser index. One thread a list; list owner[t]
// gets candidates start[t] .. start[t + 1].
extern "C" __global__ void merge_best(long long* index, double* value, int k, const long long* owner,
                                      const long long* start, long long lists, const long long* other,
                                      const double* closeness) {
  const long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= lists) return;
  long long* best = index + owner[t] * k;
  double* theirs = value + owner[t] * k;
  for (long long c = start[t]; c < start[t + 1]; c++) {
    const double s = closeness[c];
    const long long o = other[c];
    int at = k;
    while (at > 0 && (s > theirs[at - 1] || (s == theirs[at - 1] && (o < best[at - 1] || best[at - 1] < 0)))) at--;
    if (at == k) continue;
    for (int back = k - 1; back > at; back--) {
      best[back] = best[back - 1];
      theirs[back] = theirs[back - 1];
    }
    best[at] = o;
    theirs[at] = s;
  }
}
