"""Bugs on purpose: real ones that the parsers might have had, as a check that is missing. Where
`tools/dev fuzz TARGET --plant K` makes the K-th in a copy of its file, fuzzing must find it."""
import dataclasses


@dataclasses.dataclass
class Plant:
    """`old`, which `file` holds once, becomes `new` in a build of `target`."""
    target: str
    file: str
    old: str
    new: str
    missing: str

    def planted(self, root):
        """The whole text of the file with the bug in it."""
        text = (root / self.file).read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"tests/fuzz/plants.py: {self.file} holds {times} times: {self.old}")
        return text.replace(self.old, self.new)


PLANTS = {
    1: Plant("plan", "lib/base/json_reader.cpp",
             "const std::size_t left = text_.size() - position_;", "const std::size_t left = 4;",
             r"the end of the text, inside `\u` and its four digits"),
    2: Plant("plan", "lib/base/dataset.cpp", "if (batch_size == 0)", "if (false)",
             "the check for a batch size of 0"),
    3: Plant("plan", "lib/plan/json.cpp", "if (ends.size() == 2) {", "if (!ends.empty()) {",
             "the check that a range has two ends"),
    11: Plant("npy", "lib/source/npy_header.cpp",
              "if (start.size() < begin)", "if (start.size() < begin - 2)",
              "two bytes of the check that the header's length is there"),
    12: Plant("npy", "lib/source/npy_header.cpp",
              "base::checked_mul(shape.features, dtype_bytes(element.dtype))",
              "std::optional(shape.features * dtype_bytes(element.dtype))",
              "the overflow of a row's bytes"),
    13: Plant("npy", "lib/source/npy_header.cpp", "if (*end > file_bytes)", "if (*data_bytes > file_bytes)",
              "the header's own bytes, where the data's are held against the file's"),
    21: Plant("segment", "lib/segment/header.cpp",
              "base::checked_add(header.data_offset, header.data_bytes)",
              "std::optional(header.data_offset + header.data_bytes)",
              "the overflow of the data's end"),
    22: Plant("segment", "lib/base/dataset.cpp", "base::checked_mul(a, b)", "std::optional(a * b)",
              "the overflow of samples x features"),
    23: Plant("segment", "lib/segment/header.cpp",
              "sizeof raw + std::uint64_t{raw.plan_bytes} + raw.origin_bytes",
              "sizeof raw + (raw.plan_bytes + raw.origin_bytes)",
              "the 64 bits that the lengths of two texts need together"),
}
