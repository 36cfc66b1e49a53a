// SPDX-License-Identifier: BSL-1.0
// Any bytes as the JSON files that a model directory may have: the index of our shards, the index of a model, its
// config.json.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <bigsmall/archive/model_index.hpp>
#include <bigsmall/archive/model_type.hpp>
#include <bigsmall/archive/shard_index.hpp>

namespace {

using namespace bigsmall;

// What is accepted can be written, and is then read as the same; its paths stay inside the directory.
void read_index_of_shards(std::string_view text) {
    archive::shard_index index;
    try {
        index = archive::decode_shard_index(text);
    } catch (const error& e) {
        if (e.code() != errc::corrupt && e.code() != errc::unsupported) std::abort();
        return;
    }
    for (const archive::shard_record& shard : index.shards)
        if (io::unsafe_path_reason(shard.file) || io::unsafe_path_reason(shard.source)) std::abort();
    for (const archive::carried_record& file : index.files)
        if (io::unsafe_path_reason(file.file)) std::abort();
    const std::string again = archive::encode_shard_index(index);
    if (archive::encode_shard_index(archive::decode_shard_index(again)) != again) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes_view bytes(data, size);
    read_index_of_shards(as_string_view(bytes));
    archive::detail::shards_named_in(as_string_view(bytes));
    archive::detail::model_type_in(bytes);
    return 0;
}
