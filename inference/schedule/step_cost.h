// What a step costs on this machine with this model, learned from the steps themselves: the time of
// token rows as `base + row · rows` (least squares, old steps fade), and the time that each prompt
// row adds. From it follow how many prompt tokens fit into a step that must end in time, and
// whether verifying a draft token pays. One thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace portcullis::inference {

class StepCost {
 public:
  using Seconds = std::chrono::duration<double>;

  void Record(int64_t token_rows, int64_t prompt_rows, Seconds took);

  // Of a step with that many token rows and nothing else.
  double TokenStep(int64_t rows) const;
  double TokenRow() const;
  // Rows that fit into `limit` beside `token_rows`, or into half as long again as those take;
  // within [least, most].
  int64_t PromptRows(int64_t token_rows, Seconds limit, int64_t least, int64_t most) const;
  double mean() const { return mean_; }

 private:
  double weight_ = 0, rows_ = 0, rows_squared_ = 0, time_ = 0, product_ = 0;  // faded sums
  double prompt_row_ = 0;                                                     // 0: not known yet
  double mean_ = 0;
};

}  // namespace portcullis::inference
