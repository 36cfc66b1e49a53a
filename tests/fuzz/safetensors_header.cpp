// SPDX-License-Identifier: BSL-1.0
// Any bytes as a safetensors file: an error of the right kind, or a layout in which everything lies within
// the file, in order, without overlaps.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <bigsmall/io/safetensors/layout.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace bigsmall;
    const io::memory_source file(byte_buffer(data, data + size));
    try {
        const io::safetensors_layout layout = io::read_safetensors_layout(file);
        if (layout.file_bytes != size || layout.header_bytes > size) std::abort();
        std::uint64_t position = layout.header_bytes;
        for (const io::tensor_record& tensor : layout.tensors) {
            if (tensor.begin < position || tensor.end < tensor.begin || tensor.end > size) std::abort();
            position = tensor.end;
        }
    } catch (const error& e) {
        if (e.code() != errc::invalid_input && e.code() != errc::truncated) std::abort();
    }
    return 0;
}
