// What the shared library shows to its users.
#pragma once

#define AUGCORE_API __attribute__((visibility("default")))
