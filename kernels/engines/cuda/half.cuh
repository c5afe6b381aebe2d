// Half precision without cuda_fp16.h: values of a tile are only ever read one by one.
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif

typedef unsigned short half_bits;

__device__ __forceinline__ float to_float(half_bits h) {
#ifdef __CUDA_ARCH__
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
#else
  const int sign = h >> 15, exponent = h >> 10 & 31, fraction = h & 1023;
  const float size = exponent == 0    ? ldexpf((float)fraction, -24)
                     : exponent == 31 ? (fraction ? NAN : INFINITY)
                                      : ldexpf((float)(1024 + fraction), exponent - 25);
  return sign ? -size : size;
#endif
}

// Whole numbers from 0 to 2048, which half holds exactly.
__device__ __forceinline__ half_bits from_count(int count) {
  if (count == 0) return 0;
  int exponent = 0;
  while (count >> (exponent + 1)) exponent++;
  const int fraction = exponent <= 10 ? count << (10 - exponent) : count >> (exponent - 10);
  return (half_bits)((exponent + 15) << 10 | (fraction & 1023));
}

// As they are loaded, from an address that is a multiple of 16 bytes.
struct alignas(16) Eight {
  half_bits value[8];
};
