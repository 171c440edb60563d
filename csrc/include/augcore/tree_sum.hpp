// Sums over samples that are the same bits for any number of threads and any split into blocks.
//
// Rows are cut into tiles of kTileRows by their absolute row number. Within a tile they are summed in order; the tiles
// are summed by a fixed binary tree: node (l, i) is the sum of tiles i * 2^l ... (i + 1) * 2^l - 1, left half plus
// right half, and a node whose right half is empty is its left half. Another kTileRows or rule gives other last bits,
// so it needs a new version of the library (so does another GramSums::tile_rows): a run is resumed by the version that
// began it alone.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace augcore {

constexpr std::int64_t kTileRows = 512;

// Collects nodes from left to right, keeping one partial sum per level.
class TreeSum {
 public:
  // A node of zeros, in memory of one that was pushed and is no longer needed if there is any.
  std::vector<double> zeros(std::int64_t width) {
    std::vector<double> node;
    if (!spares_.empty()) {
      node = std::move(spares_.back());
      spares_.pop_back();
    }
    node.assign(width, 0.0);
    return node;
  }

  // Adds a node of 2^level tiles. All nodes before it must be at least as large, or have been completed by it.
  void push(std::vector<double> node, int level) {
    while (!stack_.empty() && stack_.back().level == level) {
      add_left(stack_.back().values, node);
      spares_.push_back(std::move(stack_.back().values));
      stack_.pop_back();
      ++level;
    }
    stack_.push_back({level, std::move(node)});
  }

  // Whether nothing was pushed.
  bool empty() const { return stack_.empty(); }

  // The root over all that was pushed and `last`, the sums of a tile at the right end (zeros where there is none).
  std::vector<double> total(std::vector<double> last) const {
    for (auto node = stack_.rbegin(); node != stack_.rend(); ++node) add_left(node->values, last);
    return last;
  }

 private:
  struct Node {
    int level;
    std::vector<double> values;
  };

  static void add_left(const std::vector<double>& left, std::vector<double>& right) {
    for (std::size_t i = 0; i < right.size(); ++i) right[i] = left[i] + right[i];
  }

  std::vector<Node> stack_;
  std::vector<std::vector<double>> spares_;
};

}  // namespace augcore
