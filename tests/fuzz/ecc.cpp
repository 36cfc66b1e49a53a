// SPDX-License-Identifier: BSL-1.0
// Any bytes as a small file and its sidecar. The first two bytes say where the file ends. Headers and pages have
// checksums that keep nearly all changed ones from being looked at, so that a second try has them made right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <bigsmall/archive/repair.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace {

using namespace bigsmall;

void make_right(byte_buffer& parity) {
    const auto seal = [&](std::size_t at, std::size_t bytes) {
        store_le(parity.data() + at + bytes, io::checksum(bytes_view(parity).subspan(at, bytes)));
    };
    if (parity.size() < io::ecc_header_bytes) return;
    seal(0, io::ecc_header_bytes - 8);
    const auto file_bytes = load_le<std::uint64_t>(parity.data() + 16);
    if (file_bytes > 8 * parity.size()) return;
    const io::ecc_layout layout(file_bytes);
    for (std::size_t strip = 0; layout.stripes() > 0 && strip < layout.strips(); ++strip) {
        const std::uint64_t at = layout.page_offset(0, strip);
        if (at + io::ecc_page_bytes <= parity.size()) seal(static_cast<std::size_t>(at), io::ecc_page_bytes - 8);
    }
}

/// What a repair writes lies in the file and has the checksum that belongs there, so that it is right the next time.
void repair(const byte_buffer& file, const byte_buffer& parity) {
    parallel::serial_executor e;
    try {
        const io::memory_source from(file);
        const io::ecc_sidecar sidecar(std::make_shared<io::memory_source>(parity), file.size());
        const std::uint64_t bytes = sidecar.layout().file_bytes();
        if (bytes > 2 * file.size() + 8 * parity.size() + 8) std::abort();
        byte_buffer repaired = file;
        repaired.resize(static_cast<std::size_t>(bytes));
        const auto write = [&](std::uint64_t offset, bytes_view restored) {
            if (offset > bytes || restored.size() > bytes - offset) std::abort();
            std::copy(restored.begin(), restored.end(), repaired.begin() + static_cast<std::ptrdiff_t>(offset));
        };
        const archive::repair_report report = archive::detail::repair_with(from, sidecar, {}, write, e);
        if (report.restored_cells > report.damaged_cells || report.damaged_cells > report.cells) std::abort();
        if (!report.repairable()) return;
        const io::memory_source whole(repaired);
        const auto refuse = [](std::uint64_t, bytes_view) { std::abort(); };
        if (!archive::detail::repair_with(whole, sidecar, {}, refuse, e).file_whole()) std::abort();
    } catch (const error& failure) {
        const errc code = failure.code();
        if (code != errc::corrupt && code != errc::truncated && code != errc::unsupported && code != errc::limit &&
            code != errc::mismatch)
            std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t file_bytes = std::min<std::size_t>(load_le<std::uint16_t>(data), size - 2);
    const byte_buffer file(data + 2, data + 2 + file_bytes);
    byte_buffer parity(data + 2 + file_bytes, data + size);
    repair(file, parity);
    make_right(parity);
    repair(file, parity);
    return 0;
}
