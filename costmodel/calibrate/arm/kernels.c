// Inner loops of matrix products, whose cycles on named cores llvm-mca says. clang 19 makes aarch64.s and thumb.s of them:
//
//   clang --target=aarch64 -mcpu=cortex-a53+dotprod -O3 -fno-unroll-loops -ffreestanding -S kernels.c
//   clang --target=thumbv7em-none-eabi -mcpu=cortex-m4 -O3 -fno-unroll-loops -ffreestanding -S kernels.c
#ifdef __aarch64__
#include <arm_neon.h>

#define UNROLL _Pragma("clang loop unroll(full)")

// Four rows by two columns of 128 binary products each: 1024.
void bgemm_4x2(const uint8_t *a, const uint8_t *b, long n, uint16_t *c) {
  uint16x8_t s[4][2] = {};
  do {
    uint8x16_t x[4], y[2];
    UNROLL for (int i = 0; i < 4; i++) x[i] = vld1q_u8(a + 16 * i);
    UNROLL for (int j = 0; j < 2; j++) y[j] = vld1q_u8(b + 16 * j);
    UNROLL for (int i = 0; i < 4; i++)
      UNROLL for (int j = 0; j < 2; j++) s[i][j] = vpadalq_u8(s[i][j], vcntq_u8(veorq_u8(x[i], y[j])));
    a += 64, b += 32;
  } while (--n);
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < 2; j++) vst1q_u16(c + 8 * (2 * i + j), s[i][j]);
}

// Eight by four products of single precision: 32.
void sgemm_8x4(const float *a, const float *b, long n, float *c) {
  float32x4_t s[8] = {};
  do {
    float32x4_t x = vld1q_f32(a), z = vld1q_f32(a + 4), y = vld1q_f32(b);
    s[0] = vfmaq_laneq_f32(s[0], y, x, 0), s[1] = vfmaq_laneq_f32(s[1], y, x, 1);
    s[2] = vfmaq_laneq_f32(s[2], y, x, 2), s[3] = vfmaq_laneq_f32(s[3], y, x, 3);
    s[4] = vfmaq_laneq_f32(s[4], y, z, 0), s[5] = vfmaq_laneq_f32(s[5], y, z, 1);
    s[6] = vfmaq_laneq_f32(s[6], y, z, 2), s[7] = vfmaq_laneq_f32(s[7], y, z, 3);
    a += 8, b += 4;
  } while (--n);
  UNROLL for (int i = 0; i < 8; i++) vst1q_f32(c + 4 * i, s[i]);
}

// Four rows by two columns of 16 products of eight bits each: 128.
void i8gemm_4x2(const int8_t *a, const int8_t *b, long n, int32_t *c) {
  int32x4_t s[4][2] = {};
  do {
    int8x16_t x[4], y[2];
    UNROLL for (int i = 0; i < 4; i++) x[i] = vld1q_s8(a + 16 * i);
    UNROLL for (int j = 0; j < 2; j++) y[j] = vld1q_s8(b + 16 * j);
    UNROLL for (int i = 0; i < 4; i++)
      UNROLL for (int j = 0; j < 2; j++) {
        int16x8_t p = vmull_s8(vget_low_s8(x[i]), vget_low_s8(y[j]));
        s[i][j] = vpadalq_s16(s[i][j], vmlal_high_s8(p, x[i], y[j]));
      }
    a += 64, b += 32;
  } while (--n);
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < 2; j++) vst1q_s32(c + 4 * (2 * i + j), s[i][j]);
}

// The same with SDOT.
void sdot_4x2(const int8_t *a, const int8_t *b, long n, int32_t *c) {
  int32x4_t s[4][2] = {};
  do {
    int8x16_t x[4], y[2];
    UNROLL for (int i = 0; i < 4; i++) x[i] = vld1q_s8(a + 16 * i);
    UNROLL for (int j = 0; j < 2; j++) y[j] = vld1q_s8(b + 16 * j);
    UNROLL for (int i = 0; i < 4; i++)
      UNROLL for (int j = 0; j < 2; j++) s[i][j] = vdotq_s32(s[i][j], x[i], y[j]);
    a += 64, b += 32;
  } while (--n);
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < 2; j++) vst1q_s32(c + 4 * (2 * i + j), s[i][j]);
}
#else
#include <stdint.h>

// 32 binary products a step, ones counted in software.
uint32_t bdot_32(const uint32_t *a, const uint32_t *b, long n) {
  uint32_t s = 0;
  do {
    uint32_t x = *a++ ^ *b++;
    x = x - ((x >> 1) & 0x55555555);
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
    s += (((x + (x >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24;
  } while (--n);
  return s;
}
#endif
