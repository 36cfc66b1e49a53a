// SPDX-License-Identifier: BSL-1.0
// Any bytes as what the first shard keeps of the container that it was a part of (section 64 of its index).
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <bigsmall/archive/joined_model.hpp>

using namespace bigsmall;

// What is accepted can be written and read again, and its tensors can be listed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const io::container_index index = archive::detail::decode_joined(bytes_view(data, size));
        archive::detail::tensors_of(index, index.members[0], [](std::uint32_t content) { return content; });
        io::container_index again = archive::detail::decode_joined(archive::detail::encode_joined(index));
        // In the older form bundles had hashes, too.
        for (std::size_t i = index.first_bundle(); i < index.contents.size(); ++i)
            again.contents[i].md5 = index.contents[i].md5;
        if (again != index) std::abort();
    } catch (const error& e) {
        if (e.code() != errc::corrupt && e.code() != errc::unsupported) std::abort();
    }
    return 0;
}
