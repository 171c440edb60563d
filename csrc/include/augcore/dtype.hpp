// Element types of arrays handed to the kernels.
#pragma once

namespace augcore {

enum class Dtype { uint8, uint16, float32, float64 };

}  // namespace augcore
