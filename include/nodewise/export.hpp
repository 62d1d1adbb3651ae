// Symbol visibility: everything is hidden but what is marked NODEWISE_PUBLIC.
#pragma once

#define NODEWISE_PUBLIC __attribute__((visibility("default")))
