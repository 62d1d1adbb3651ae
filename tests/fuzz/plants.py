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
             r"the check for the end of the text within `\u` and its four digits"),
    2: Plant("plan", "lib/base/dataset.cpp", "if (batch_size == 0)", "if (false)",
             "the check for a batch size of 0"),
    3: Plant("plan", "lib/plan/json.cpp", "if (ends.size() == 2) {", "if (!ends.empty()) {",
             "the check that a range has two ends"),
    11: Plant("npy", "lib/source/npy_header.cpp",
              "if (start.size() < begin)", "if (start.size() < begin - 2)",
              "two bytes in the check that the length of the header has been read completely"),
    12: Plant("npy", "lib/source/npy_header.cpp",
              "base::checked_mul(shape.features, dtype_bytes(element.dtype))",
              "std::optional(shape.features * dtype_bytes(element.dtype))",
              "the check for overflow when the bytes of a row are computed"),
    13: Plant("npy", "lib/source/npy_header.cpp", "if (*end > file_bytes)", "if (*data_bytes > file_bytes)",
              "the bytes of the header, when the size of the data is compared with the size of the file"),
    21: Plant("segment", "lib/segment/header.cpp",
              "base::checked_add(header.data_offset, header.data_bytes)",
              "std::optional(header.data_offset + header.data_bytes)",
              "the check for overflow when the end of the data is computed"),
    22: Plant("segment", "lib/base/dataset.cpp", "base::checked_mul(a, b)", "std::optional(a * b)",
              "the check for overflow of samples × features"),
    23: Plant("segment", "lib/segment/header.cpp",
              "sizeof raw + std::uint64_t{raw.plan_bytes} + raw.origin_bytes",
              "sizeof raw + (raw.plan_bytes + raw.origin_bytes)",
              "a conversion to 64 bits before the lengths of two texts are added"),
}
