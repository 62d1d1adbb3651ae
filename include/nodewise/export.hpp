// Symbol visibility: outside of the library, only what is marked NODEWISE_PUBLIC is visible.
#pragma once

#define NODEWISE_PUBLIC __attribute__((visibility("default")))
