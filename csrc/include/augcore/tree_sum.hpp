// Sums over samples that are the same bits for any number of threads and any split into blocks.
//
// Rows are cut into tiles of kTileRows by their absolute row number. Within a tile they are summed in order; the tiles
// are summed by a fixed binary tree: node (l, i) is the sum of tiles i * 2^l ... (i + 1) * 2^l - 1, left half plus
// right half, and a node whose right half is empty is its left half. Changing kTileRows or this rule changes results in
// the last bits and needs a new kTreeSumVersion.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace augcore {

constexpr std::int64_t kTileRows = 512;
constexpr int kTreeSumVersion = 1;

// Collects nodes from left to right, keeping one partial sum per level.
class TreeSum {
 public:
  explicit TreeSum(std::int64_t width) : width_(width) {}

  // Adds a node of 2^level tiles. All nodes before it must be at least as large, or have been completed by it.
  void push(std::vector<double> node, int level) {
    while (!stack_.empty() && stack_.back().level == level) {
      add_right(stack_.back().values, node);
      node = std::move(stack_.back().values);
      stack_.pop_back();
      ++level;
    }
    stack_.push_back({level, std::move(node)});
  }

  // The root over all that was pushed; zeros when nothing was.
  std::vector<double> total() const {
    if (stack_.empty()) return std::vector<double>(width_, 0.0);
    std::vector<double> sum = stack_.back().values;
    for (auto node = stack_.rbegin() + 1; node != stack_.rend(); ++node) {
      std::vector<double> left = node->values;
      add_right(left, sum);
      sum = std::move(left);
    }
    return sum;
  }

 private:
  struct Node {
    int level;
    std::vector<double> values;
  };

  static void add_right(std::vector<double>& left, const std::vector<double>& right) {
    for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  }

  std::int64_t width_;
  std::vector<Node> stack_;
};

}  // namespace augcore
