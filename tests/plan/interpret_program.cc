#include "plan/interpret_program.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "graph/tensor.h"

namespace embedforge::testing {
namespace {

using Matrix = std::vector<std::vector<double>>;  // rows of one sequence

/// Rows through a static or dynamic 8-bit quantization and back.
std::vector<double> rounded(const std::vector<double>& row, const ActivationQuant& quant) {
  double scale = quant.scale;
  double zero = quant.zero_point;
  if (quant.dynamic) {
    const double low = std::min(0.0, *std::min_element(row.begin(), row.end()));
    const double high = std::max(0.0, *std::max_element(row.begin(), row.end()));
    scale = high > low ? (high - low) / 255 : 1;
    zero = std::nearbyint(-low / scale);
  }
  std::vector<double> out;
  for (const double x : row) {
    const double q = std::clamp(std::nearbyint(x / scale) + zero, 0.0, 255.0);
    out.push_back(scale * (q - zero));
  }
  return out;
}

class Interpreter {
 public:
  Interpreter(const Program& program, const std::vector<int64_t>& ids,
              const std::vector<int64_t>& types, bool integers)
      : values_(program.widths.size()), ids_(ids), types_(types), integers_(integers) {
    for (const Step& step : program.steps) std::visit([&](const auto& s) { run(s); }, step);
  }
  const Matrix& value(ValueId id) const { return values_.at(id); }

  /// One row, as the steps of the head make it of these.
  Matrix head(const std::vector<HeadStep>& steps, Matrix rows) const {
    for (const HeadStep& step : steps) {
      if (const auto* pool = std::get_if<PoolStep>(&step)) rows = pooled(*pool, rows);
      if (const auto* norm = std::get_if<NormStep>(&step)) rows = normed(*norm, rows);
      if (const auto* linear = std::get_if<LinearStep>(&step)) rows = multiplied(*linear, rows);
      if (!std::holds_alternative<NormalizeStep>(step)) continue;
      double squares = 0;
      for (const double x : rows[0]) squares += x * x;
      for (double& x : rows[0]) x /= std::sqrt(squares);
    }
    return rows;
  }

 private:
  static Matrix pooled(const PoolStep& step, const Matrix& in) {
    Matrix out(1);
    const auto n = static_cast<double>(in.size());
    for (const Pooling pooling : step.poolings) {
      std::vector<double> row(in[0].size(), pooling == Pooling::kMax ? -1e300 : 0);
      for (const std::vector<double>& token : in) {
        for (size_t c = 0; c < row.size(); ++c) {
          if (pooling == Pooling::kMean) row[c] += token[c] / n;
          if (pooling == Pooling::kMeanSqrtLength) row[c] += token[c] / std::sqrt(n);
          if (pooling == Pooling::kMax) row[c] = std::max(row[c], token[c]);
        }
      }
      if (pooling == Pooling::kCls) row = in.front();
      if (pooling == Pooling::kLast) row = in.back();
      out[0].insert(out[0].end(), row.begin(), row.end());
    }
    return out;
  }

  Matrix& out(ValueId id) { return values_.at(id); }

  void run(const EmbedStep& step) {
    Matrix rows(ids_.size(), std::vector<double>(step.width, 0));
    for (const EmbedStep::Table& table : step.tables) {
      const std::vector<double> values = to_doubles(table.rows);
      for (size_t t = 0; t < rows.size(); ++t) {
        const int64_t row = table.source == EmbedStep::Source::kTokenId ? ids_[t]
                            : table.source == EmbedStep::Source::kPosition
                                ? static_cast<int64_t>(t) + table.offset
                            : table.rows.dims[0] == 1 ? 0
                                                      : types_[t];
        const size_t q = table.scales.size() > 1 ? static_cast<size_t>(row) : 0;
        for (size_t c = 0; c < rows[t].size(); ++c) {
          double x = values.at(static_cast<size_t>(row) * step.width + c);
          if (!table.scales.empty()) x = table.scales[q] * (x - table.zero_points[q]);
          rows[t][c] += x;
        }
      }
    }
    out(step.out) = rows;
  }

  void run(const NormStep& step) { out(step.out) = normed(step, value(step.in)); }
  void run(const LinearStep& step) { out(step.out) = multiplied(step, value(step.in)); }

  static Matrix normed(const NormStep& step, Matrix rows) {
    for (std::vector<double>& row : rows) {
      const auto n = static_cast<double>(row.size());
      double mean = 0;
      if (step.kind == NormKind::kLayerNorm) {
        for (const double x : row) mean += x / n;
      }
      double variance = 0;
      for (const double x : row) variance += (x - mean) * (x - mean) / n;
      for (size_t c = 0; c < row.size(); ++c) {
        row[c] = (row[c] - mean) / std::sqrt(variance + step.epsilon) * step.gamma.at(c);
        if (!step.beta.empty()) row[c] += step.beta.at(c);
      }
    }
    return rows;
  }

  /// The products with a weight's parts.
  Matrix side_by_side(const LinearStep& step, const Matrix& inputs) const {
    Matrix rows(inputs.size());
    for (const Weight& part : step.weight.parts) {
      const Matrix columns = multiplied({.weight = part}, inputs);
      for (size_t r = 0; r < rows.size(); ++r)
        rows[r].insert(rows[r].end(), columns[r].begin(), columns[r].end());
    }
    for (std::vector<double>& row : rows) {
      for (size_t n = 0; n < row.size(); ++n) {
        if (!step.bias.empty()) row[n] += step.bias.at(n);
        row[n] = activate(step.activation, row[n]);
      }
    }
    return rows;
  }

  Matrix multiplied(const LinearStep& step, const Matrix& inputs) const {
    const Weight& w = step.weight;
    if (!w.parts.empty()) return side_by_side(step, inputs);
    const std::vector<double> q = to_doubles(w.data());
    const Int8Format* int8 = w.int8();
    const ActivationQuant* quant = nullptr;
    if (int8 != nullptr && int8->activation) quant = &*int8->activation;
    Matrix rows;
    for (std::vector<double> in : inputs) {
      if (static_cast<int64_t>(in.size()) != w.k) throw std::logic_error("width");
      const std::vector<double> unscaled = in;
      if (quant != nullptr && !quant->channel_scale.empty()) {
        for (size_t c = 0; c < in.size(); ++c) in[c] *= quant->channel_scale.at(c);
      }
      if (integers_ && quant != nullptr) in = rounded(in, *quant);
      std::vector<double> row;
      for (int64_t n = 0; n < w.n; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < w.k; ++k) {
          double x = q[static_cast<size_t>(w.transposed ? n * w.k + k : k * w.n + n)];
          if (int8 != nullptr)
            x = int8->scales.at(static_cast<size_t>(n)) *
                (x - int8->zero_points.at(static_cast<size_t>(n)));
          sum += in[static_cast<size_t>(k)] * x;
        }
        for (size_t j = 0; int8 != nullptr && j < int8->float_channels.size(); ++j) {
          sum += unscaled.at(static_cast<size_t>(int8->float_channels[j])) *
                 int8->float_rows.at(j * static_cast<size_t>(w.n) + static_cast<size_t>(n));
        }
        if (!step.bias.empty()) sum += step.bias.at(static_cast<size_t>(n));
        row.push_back(activate(step.activation, sum));
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void run(const AddStep& step) {
    Matrix rows = value(step.a);
    const Matrix& other = value(step.b);
    for (size_t t = 0; t < rows.size(); ++t) {
      for (size_t c = 0; c < rows[t].size(); ++c) rows[t][c] += other.at(t).at(c);
    }
    out(step.out) = rows;
  }

  void run(const GateStep& step) {
    Matrix rows;
    for (size_t t = 0; t < value(step.gate).size(); ++t) {
      std::vector<double> row;
      for (size_t c = 0; c < step.width; ++c) {
        row.push_back(activate(step.activation, value(step.gate)[t].at(step.gate_column + c)) *
                      value(step.up)[t].at(step.up_column + c));
      }
      rows.push_back(row);
    }
    out(step.out) = rows;
  }

  void run(const HeadsStep& step) {
    Matrix rows = value(step.in);
    const auto size = step.head_size;
    const size_t pairs = step.rotary.frequencies.size();
    for (size_t t = 0; t < rows.size(); ++t) {
      for (size_t head = 0; head < step.heads; ++head) {
        double* x = rows[t].data() + step.column + head * step.head_size;
        double squares = 0;
        for (size_t c = 0; c < size; ++c) squares += x[c] * x[c] / static_cast<double>(size);
        for (size_t c = 0; c < size && !step.gamma.empty(); ++c) {
          x[c] = x[c] / std::sqrt(squares + step.epsilon) * step.gamma.at(c);
        }
        for (size_t i = 0; i < pairs; ++i) {
          double& a = x[step.rotary.interleaved ? 2 * i : i];
          double& b = x[step.rotary.interleaved ? 2 * i + 1 : i + pairs];
          const double angle = static_cast<double>(t) * step.rotary.frequencies[i];
          const double first = a;
          a = a * std::cos(angle) - b * std::sin(angle);
          b = b * std::cos(angle) + first * std::sin(angle);
        }
      }
    }
    out(step.out) = rows;
  }

  /// What is added to the score of query i and key j.
  static double bias(const AttentionStep& step, size_t head, int64_t i, int64_t j) {
    const bool out_of_reach =
        (step.causal && j > i) || (step.window >= 0 && std::abs(j - i) > step.window);
    if (out_of_reach) return -1e30;
    if (step.relative_bias.empty()) return 0;
    const auto count = static_cast<int64_t>(step.relative_bias.size() / step.heads);
    const int64_t distance = std::clamp(j - i, -count / 2, count / 2);
    return step.relative_bias.at(head * static_cast<size_t>(count) +
                                 static_cast<size_t>(distance + count / 2));
  }

  void run(const AttentionStep& step) {
    const Matrix& q = value(step.q);
    const Matrix& k = value(step.k);
    const Matrix& v = value(step.v);
    Matrix rows(q.size(), std::vector<double>(step.heads * step.head_size, 0));
    for (size_t head = 0; head < step.heads; ++head) {
      const size_t first = head * step.head_size;
      const size_t shared = head * step.kv_heads / step.heads * step.head_size;
      for (size_t i = 0; i < q.size(); ++i) {
        std::vector<double> p(k.size());
        double total = 0;
        for (size_t j = 0; j < k.size(); ++j) {
          double dot = 0;
          for (size_t c = 0; c < step.head_size; ++c) {
            dot += q[i].at(step.q_column + first + c) * k[j].at(step.k_column + shared + c);
          }
          p[j] = std::exp(dot * step.scale +
                          bias(step, head, static_cast<int64_t>(i), static_cast<int64_t>(j)));
          total += p[j];
        }
        for (size_t j = 0; j < k.size(); ++j) {
          for (size_t c = 0; c < step.head_size; ++c) {
            rows[i][first + c] += p[j] / total * v[j].at(step.v_column + shared + c);
          }
        }
      }
    }
    out(step.out) = rows;
  }

  std::vector<Matrix> values_;
  const std::vector<int64_t>& ids_;
  const std::vector<int64_t>& types_;
  bool integers_;
};

std::vector<float> flat(const Matrix& rows) {
  std::vector<float> out;
  for (const std::vector<double>& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

}  // namespace

Result interpret(const Program& program, const Batch& batch, bool integers) {
  Result out;
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    const Interpreter run(program, batch.ids[i], batch.types[i], integers);
    out.hidden.push_back(flat(run.value(program.hidden)));
    if (!program.head.empty())
      out.pooled.push_back(flat(run.head(program.head, run.value(program.hidden))));
  }
  return out;
}

}  // namespace embedforge::testing
