// exp and the activations on vectors. Include after a simd.h; everything has internal linkage.
#pragma once

#include "kernels/simd/concept.h"
#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

static_assert(SimdOperations<Simd>);
using F = Simd::F;

/// e^x for x <= 88: x = n ln 2 + r, Taylor to r^6 on |r| <= 0.347 (relative error 1.3e-7). Below
/// -87 it is 0 or subnormal-free tiny.
inline F exp(F x) {
  x = Simd::max(x, Simd::set1(-87.0F));
  const F n = Simd::round(Simd::mul(x, Simd::set1(1.44269504F)));
  F r = Simd::fma(n, Simd::set1(-0.693359375F), x);
  r = Simd::fma(n, Simd::set1(2.12194440e-4F), r);
  F p = Simd::set1(1.0F / 720);
  p = Simd::fma(p, r, Simd::set1(1.0F / 120));
  p = Simd::fma(p, r, Simd::set1(1.0F / 24));
  p = Simd::fma(p, r, Simd::set1(1.0F / 6));
  p = Simd::fma(p, r, Simd::set1(0.5F));
  p = Simd::fma(p, r, Simd::set1(1.0F));
  p = Simd::fma(p, r, Simd::set1(1.0F));
  return Simd::scale_by_power(p, n);
}

/// 2^x for x <= 0, relative error 5e-5: Taylor to the fourth power on |r| <= 1/2. Below -125 it is
/// 2^-125.
inline F exp2_short(F x) {
  x = Simd::max(x, Simd::set1(-125.0F));
  const F n = Simd::round(x);
  const F r = Simd::sub(x, n);
  F p = Simd::set1(9.618129e-3F);
  p = Simd::fma(p, r, Simd::set1(5.550411e-2F));
  p = Simd::fma(p, r, Simd::set1(2.402265e-1F));
  p = Simd::fma(p, r, Simd::set1(6.931472e-1F));
  p = Simd::fma(p, r, Simd::set1(1.0F));
  return Simd::scale_by_power(p, n);
}

/// Gauss error function: z P(z^2) / Q(z^2) on |z| <= 3.9 (error 4e-7).
inline F erf(F z) {
  z = Simd::min(Simd::max(z, Simd::set1(-3.9F)), Simd::set1(3.9F));
  const F t = Simd::mul(z, z);
  F p = Simd::set1(2.050387820e-06F);
  p = Simd::fma(p, t, Simd::set1(2.874576894e-04F));
  p = Simd::fma(p, t, Simd::set1(3.836886957e-03F));
  p = Simd::fma(p, t, Simd::set1(5.296695232e-02F));
  p = Simd::fma(p, t, Simd::set1(1.919412315e-01F));
  p = Simd::fma(p, t, Simd::set1(1.128378987F));
  F q = Simd::set1(3.823076986e-05F);
  q = Simd::fma(q, t, Simd::set1(1.181737520e-03F));
  q = Simd::fma(q, t, Simd::set1(1.510922518e-02F));
  q = Simd::fma(q, t, Simd::set1(1.147582978e-01F));
  q = Simd::fma(q, t, Simd::set1(5.034352541e-01F));
  q = Simd::fma(q, t, Simd::set1(1.0F));
  return Simd::div(Simd::mul(z, p), q);
}

/// x Phi(x), to float accuracy.
inline F gelu(F x) {
  const F half = Simd::mul(x, Simd::set1(0.5F));
  return Simd::fma(half, erf(Simd::mul(x, Simd::set1(0.707106781F))), half);
}

/// x Phi(x) with Phi(x) = 1/2 + x P(x^2), exact at |x| = 4.2 and beyond: error 9e-5, for values
/// that are rounded to 8 bits next.
inline F gelu_short(F x) {
  const F c = Simd::min(Simd::max(x, Simd::set1(-4.2F)), Simd::set1(4.2F));
  const F t = Simd::mul(c, c);
  F p = Simd::set1(-9.017528946e-10F);
  p = Simd::fma(p, t, Simd::set1(7.941336833e-08F));
  p = Simd::fma(p, t, Simd::set1(-3.037930810e-06F));
  p = Simd::fma(p, t, Simd::set1(6.689068687e-05F));
  p = Simd::fma(p, t, Simd::set1(-9.506574133e-04F));
  p = Simd::fma(p, t, Simd::set1(9.298228659e-03F));
  p = Simd::fma(p, t, Simd::set1(-6.552819908e-02F));
  p = Simd::fma(p, t, Simd::set1(3.984658718e-01F));
  return Simd::mul(x, Simd::fma(c, p, Simd::set1(0.5F)));
}

/// 1 / (1 + e^-x)
inline F sigmoid(F x) {
  const F e = exp(Simd::min(Simd::sub(Simd::zero(), x), Simd::set1(87.0F)));
  return Simd::div(Simd::set1(1.0F), Simd::add(Simd::set1(1.0F), e));
}

/// tanh(x) = 2 sigmoid(2x) - 1
inline F tanh(F x) {
  return Simd::fma(sigmoid(Simd::add(x, x)), Simd::set1(2.0F), Simd::set1(-1.0F));
}

template <Act kAct>
struct ActConstant {
  static constexpr Act value = kAct;
};

/// Calls f with an ActConstant, so that the loop inside is compiled once for each activation.
template <typename Function>
inline void with_act(Act act, Function f) {
  switch (act) {
    case Act::kNone:
      return f(ActConstant<Act::kNone>());
    case Act::kGelu:
      return f(ActConstant<Act::kGelu>());
    case Act::kGeluTanh:
      return f(ActConstant<Act::kGeluTanh>());
    case Act::kRelu:
      return f(ActConstant<Act::kRelu>());
    case Act::kSilu:
      return f(ActConstant<Act::kSilu>());
    case Act::kTanh:
      return f(ActConstant<Act::kTanh>());
    case Act::kSigmoid:
      return f(ActConstant<Act::kSigmoid>());
  }
}

/// `kShort`: the result is rounded to 8 bits or bfloat16 next.
template <bool kShort>
inline F activate(Act act, F x) {
  switch (act) {
    case Act::kGelu:
      return kShort ? gelu_short(x) : gelu(x);
    case Act::kGeluTanh: {  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
      const F inner = Simd::fma(Simd::mul(Simd::mul(x, x), x), Simd::set1(0.044715F), x);
      return Simd::mul(x, sigmoid(Simd::mul(inner, Simd::set1(1.595769122F))));
    }
    case Act::kRelu:
      return Simd::max(x, Simd::zero());
    case Act::kSilu:
      return Simd::mul(x, sigmoid(x));
    case Act::kTanh:
      return tanh(x);
    case Act::kSigmoid:
      return sigmoid(x);
    case Act::kNone:
      break;
  }
  return x;
}

}  // namespace
}  // namespace embedforge::kernels
