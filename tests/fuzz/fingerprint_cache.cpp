// SPDX-License-Identifier: BSL-1.0
// Any bytes as a cache of fingerprints, and as a fingerprint. Their checksum is made right first, or few inputs would
// get past it.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include <bigsmall/archive/fingerprint_cache.hpp>
#include <bigsmall/archive/fingerprint_estimate.hpp>

namespace {

using namespace bigsmall;

// What is accepted can be written, read, and compared with anything.
void read_print(bytes_view bytes) {
    const std::optional<archive::model_fingerprint> print = archive::decode_fingerprint(bytes);
    if (!print) return;
    if (archive::decode_fingerprint(archive::encode_fingerprint(*print)) != print) std::abort();
    const archive::patch_estimator estimator(*print);
    const archive::base_estimate same = estimator.estimate(*print), none = estimator.estimate({});
    for (const double share : {same.share, same.alone, same.matched, none.share, none.alone, none.matched})
        if (!(share >= 0 && share <= 1.000001)) std::abort();
    if (same.share > same.alone + 1e-9 || same.changed_words > same.compared_words || none.matched != 0) std::abort();
}

void read_cache(byte_buffer bytes) {
    if (bytes.size() >= 8)
        store_le(bytes.data() + bytes.size() - 8, io::checksum(bytes_view(bytes).first(bytes.size() - 8)));
    const std::optional<std::vector<archive::cached_fingerprint>> entries = archive::decode_fingerprint_cache(bytes);
    if (!entries) return;
    if (archive::decode_fingerprint_cache(archive::encode_fingerprint_cache(*entries)) != entries) std::abort();
    for (const archive::cached_fingerprint& entry : *entries)
        read_print(entry.print);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    read_cache(byte_buffer(data, data + size));
    read_print(bytes_view(data, size));
    return 0;
}
