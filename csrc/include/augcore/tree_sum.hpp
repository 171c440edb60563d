// Sums over samples that are the same bits for any number of threads and any split into blocks.
//
// Rows are cut into tiles of kTileRows by their absolute row number. Within a tile they are summed in order; the tiles
// are summed by a fixed binary tree: node (l, i) is the sum of tiles i * 2^l ... (i + 1) * 2^l - 1, left half plus
// right half, and a node whose right half is empty is its left half. Another kTileRows or rule gives other last bits,
// so it needs a new version of the library (so does another GramSums::tile_rows): a run is resumed by the version that
// began it alone.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace augcore {

constexpr std::int64_t kTileRows = 512;

// Collects the nodes of neighbouring tiles from left to right, and keeps the largest nodes that they make up: those of
// another range of tiles can be collected elsewhere, and pushed here.
class TreeSum {
 public:
  struct Node {
    int level;
    std::vector<double> values;
  };

  // first: the number of the tile that comes first.
  explicit TreeSum(std::int64_t first = 0) : first_(first), next_(first) {
    if (first < 0) throw std::invalid_argument("TreeSum: first is negative");
  }

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

  // Adds the node of the next 2^level tiles.
  void push(std::vector<double> node, int level) {
    const bool known = level >= 0 && level < 48;
    std::int64_t index = known ? next_ >> level : 0;
    if (!known || index << level != next_) throw std::invalid_argument("TreeSum: no node of this level begins here");
    next_ += std::int64_t{1} << level;
    for (; index % 2 == 1 && !stack_.empty() && stack_.back().level == level; index /= 2, ++level) {
      add_left(stack_.back().values, node);
      spares_.push_back(std::move(stack_.back().values));
      stack_.pop_back();
    }
    stack_.push_back({level, std::move(node)});
  }

  bool empty() const { return stack_.empty(); }

  // The nodes kept, from left to right.
  const std::vector<Node>& nodes() const { return stack_; }

  // The root over all that was pushed, from tile 0 on, and `last`, the sums of a tile at the right end (zeros where
  // there is none).
  std::vector<double> total(std::vector<double> last) const {
    if (first_ != 0) throw std::invalid_argument("TreeSum: the tiles before are missing");
    for (auto node = stack_.rbegin(); node != stack_.rend(); ++node) add_left(node->values, last);
    return last;
  }

 private:
  static void add_left(const std::vector<double>& left, std::vector<double>& right) {
    for (std::size_t i = 0; i < right.size(); ++i) right[i] = left[i] + right[i];
  }

  std::int64_t first_;
  std::int64_t next_;
  std::vector<Node> stack_;
  std::vector<std::vector<double>> spares_;
};

// Sums whose rows come block by block; in a subclass, what is added to the tiles. The sums of a range of whole tiles
// can be taken elsewhere: their nodes are pushed here in order, and the rows after the last whole tile close the sums.
class TiledSums {
 public:
  // first_row: a multiple of tile_rows.
  TiledSums(std::int64_t width, std::int64_t tile_rows, std::int64_t first_row)
      : width_(width), tile_rows_(tile_rows), tree_(first_row / tile_rows) {
    if (first_row % tile_rows != 0) throw std::invalid_argument("first_row: is not the first of a tile");
  }

  std::int64_t width() const { return width_; }
  const std::vector<TreeSum::Node>& nodes() const { return tree_.nodes(); }

  void push(std::vector<double> node, int level) {
    check_sums(node);
    check_between_tiles();
    tree_.push(std::move(node), level);
  }

  void close(std::vector<double> last) {
    check_sums(last);
    check_between_tiles();
    tile_ = std::move(last);
    closed_ = true;
  }

 protected:
  void check_open() const {
    if (closed_) throw std::invalid_argument("the sums are closed");
  }

  // The open tile with n more rows, that is with all those that are added to it; whole tiles go into the tree.
  void end_tile(std::vector<double> sums, std::int64_t n) {
    open_rows_ = (open_rows_ + n) % tile_rows_;
    if (open_rows_ == 0) {
      tree_.push(std::move(sums), 0);
      tile_.clear();
    } else {
      tile_ = std::move(sums);
    }
  }

  std::int64_t width_;  // of the sums of one tile
  std::int64_t tile_rows_;
  TreeSum tree_;
  std::vector<double> tile_;  // the sums of the open tile, empty where it has no rows yet
  std::int64_t open_rows_ = 0;

 private:
  void check_between_tiles() const {
    check_open();
    if (open_rows_ != 0) throw std::invalid_argument("a tile is open");
  }

  void check_sums(const std::vector<double>& sums) const {
    if (static_cast<std::int64_t>(sums.size()) != width_) throw std::invalid_argument("the sums have another width");
  }

  bool closed_ = false;
};

}  // namespace augcore
