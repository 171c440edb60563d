// Resizing that copies pixels: to the nearest, and to the same size.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "augcore/point/resize.hpp"
#include "cells.hpp"

namespace augcore {

class NearestPixels {
 public:
  // pixel_bytes: of all channels.
  NearestPixels(const point::Axis& down, const point::Axis& across, const Cell& cell, std::int64_t pixel_bytes)
      : pixel_bytes_(pixel_bytes), identity_(across.n_in == across.n_out) {
    for (std::int64_t y = cell.y0; y < cell.y1; ++y) rows_.push_back(nearest(down, y));
    for (std::int64_t x = cell.x0; x < cell.x1; ++x) columns_.push_back(nearest(across, x) * pixel_bytes);
  }

  // rectangle: its first byte; strides: bytes from row to row.
  void run(const std::uint8_t* rectangle, std::int64_t stride, std::uint8_t* out, std::int64_t out_stride) const {
    const std::size_t bytes = columns_.size() * pixel_bytes_;
    for (std::size_t y = 0; y < rows_.size(); ++y, out += out_stride) {
      const std::uint8_t* from = rectangle + rows_[y] * stride;
      if (y > 0 && rows_[y] == rows_[y - 1]) {
        std::memcpy(out, out - out_stride, bytes);
      } else if (identity_) {
        std::memcpy(out, from + columns_[0], bytes);
      } else {
        copy_row(from, out);
      }
    }
  }

 private:
  static std::int64_t nearest(const point::Axis& axis, std::int64_t i) {
    const double at = point::round_half_even(point::resize_position(axis, i));
    return static_cast<std::int64_t>(point::clamp(at, 0.0, static_cast<double>(axis.n_in - 1)));
  }

  template <std::int64_t kBytes>
  void copy_pixels(const std::uint8_t* from, std::uint8_t* out) const {
    for (const std::int64_t column : columns_) {
      std::memcpy(out, from + column, kBytes);
      out += kBytes;
    }
  }

  void copy_row(const std::uint8_t* from, std::uint8_t* out) const {
    switch (pixel_bytes_) {
      case 1:
        return copy_pixels<1>(from, out);
      case 2:
        return copy_pixels<2>(from, out);
      case 3:
        return copy_pixels<3>(from, out);
      case 4:
        return copy_pixels<4>(from, out);
      case 6:
        return copy_pixels<6>(from, out);
      case 8:
        return copy_pixels<8>(from, out);
      case 12:
        return copy_pixels<12>(from, out);
      case 16:
        return copy_pixels<16>(from, out);
      default:
        for (const std::int64_t column : columns_) {
          std::memcpy(out, from + column, pixel_bytes_);
          out += pixel_bytes_;
        }
    }
  }

  std::int64_t pixel_bytes_;
  bool identity_;
  std::vector<std::int64_t> rows_, columns_;
};

}  // namespace augcore
