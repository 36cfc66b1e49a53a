// SPDX-License-Identifier: BSL-1.0
// Repairs in place that end at any step, and can be run again.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <bigsmall/archive/repair.hpp>

#include "failing_disk.hpp"
#include "parity_files.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace parity_test;
using in_place_test::failing_disk;
using in_place_test::fault;

namespace {

/// A file with several kinds of damage, which parity undoes.
void damage(protected_file& f) {
    f.file = f.original;
    wipe(f.file, 3000, 900);
    spoil(f.file, 20000);
    f.file.erase(f.file.end() - 700, f.file.end());
    f.parity[10] ^= 1;
    f.save();
}

/// These files are no containers, and damage() gives them a new time.
repair_options insisting() {
    repair_options options;
    options.existing = io::if_exists::replace;
    return options;
}

void end_at_every_step(fault kind) {
    protected_file f(60000);
    const byte_buffer parity = f.parity;
    parallel::serial_executor e;
    for (std::size_t step = 0;; ++step) {
        f.parity = parity;
        damage(f);
        failing_disk disk(kind, step, static_cast<std::uint32_t>(step));
        bool ended = false;
        try {
            repair_in_place(f.path, f.sidecar, insisting(), e, disk);
        } catch (const in_place_test::ended&) {
            ended = true;
        } catch (const error& failure) {
            CHECK(failure.code() == errc::io);
            ended = true;
        }
        CHECK(ended == disk.struck());
        if (read_file(f.path) != f.original) CHECK((read_file(f.sidecar) == f.parity));
        CHECK(repair_in_place(f.path, f.sidecar, insisting(), e).repairable());
        CHECK((read_file(f.path) == f.original));
        CHECK((read_file(f.sidecar) == parity));
        if (!ended) break;
        REQUIRE(step < 1000);
    }
}

} // namespace

TEST_CASE("a repair in place that is killed can be run again") { end_at_every_step(fault::kill); }
TEST_CASE("a repair in place that loses power can be run again") { end_at_every_step(fault::power_cut); }
TEST_CASE("a repair in place whose disk fails says so and can be run again") { end_at_every_step(fault::error); }

TEST_CASE("in place nothing is written when something is lost") {
    protected_file f(1500000);
    const std::uint64_t strip_1 = f.layout.first_column(1);
    for (std::size_t row = 0; row < 40; ++row)
        spoil(f.file, f.layout.data_offset(0, row), f.layout.columns(0)); // too many
    spoil(f.file, f.layout.data_offset(0, 100) + strip_1, 50);
    f.file.push_back(1);
    f.save();
    parallel::serial_executor e;
    const repair_report report = repair_in_place(f.path, f.sidecar, insisting(), e);
    CHECK(report.lost_cells() == 40);
    CHECK(report.restored_cells == 1);
    CHECK((read_file(f.path) == f.file));
}

TEST_CASE("a file that was written after its parity is changed in place only when somebody insists") {
    protected_file f(60000);
    spoil(f.file, 20000);
    f.save();
    const auto made = fs::last_write_time(f.sidecar);
    parallel::serial_executor e;
    fs::last_write_time(f.path, made + std::chrono::seconds(1));
    CHECK(failure_code([&] { repair_in_place(f.path, f.sidecar, {}, e); }) == errc::mismatch);
    CHECK((read_file(f.path) == f.file));
    const auto before = made - std::chrono::seconds(5);
    fs::last_write_time(f.path, before);
    CHECK(repair_in_place(f.path, f.sidecar, {}, e).repairable());
    CHECK((read_file(f.path) == f.original));
    CHECK((fs::last_write_time(f.path) == before)); // so that it can be repaired again
}

TEST_CASE("an archive that was written anew is never made the one that it was before") {
    const temporary_directory directory;
    const fs::path model = directory / "m.safetensors", file = directory / "m.bs", sidecar = directory / "m.bs.ecc";
    byte_buffer weights = support::gaussian_bf16(40000, 1);
    const auto pack_again = [&] {
        support::safetensors_builder builder;
        write_file(model, builder.add("w", "BF16", {200, 200}, weights).build());
        fs::remove(file);
        support::pack(model, file);
    };
    parallel::serial_executor e;
    pack_again();
    protect(file, sidecar, {}, e);
    weights[40000] ^= 1;
    pack_again();
    const byte_buffer now = read_file(file);
    CHECK(failure_code([&] { check_parity(file, sidecar, insisting(), e); }) == errc::mismatch);
    CHECK(failure_code([&] { repair_in_place(file, sidecar, insisting(), e); }) == errc::mismatch);
    CHECK((read_file(file) == now));
    // Damage does not make a version: with the right parity it is repaired, the footer included.
    fs::remove(sidecar);
    protect(file, sidecar, {}, e);
    byte_buffer damaged = now;
    damaged[damaged.size() - 20] ^= 1;
    damaged[5000] ^= 1;
    write_file(file, damaged);
    CHECK(repair_in_place(file, sidecar, {}, e).repairable());
    CHECK((read_file(file) == now));
}

TEST_CASE("another copy gives what is right there") {
    protected_file f(1500000);
    byte_buffer other = f.original;
    wipe(f.file, 0, f.file.size() / 2);
    wipe(other, other.size() / 2, other.size() / 2);
    f.save();
    CHECK_FALSE(f.repair().repairable());
    const fs::path copy = f.directory / "copy.bs";
    write_file(copy, other);
    repair_options options;
    options.from = copy;
    options.existing = io::if_exists::replace;
    parallel::serial_executor e;
    CHECK(repair_to(f.path, f.sidecar, f.output, options, e).repairable());
    CHECK((read_file(f.output) == f.original));
    // Nothing is believed of a copy that is something else.
    write_file(copy, random_bytes(other.size(), 77));
    CHECK_FALSE(repair_to(f.path, f.sidecar, f.output, options, e).repairable());
}

TEST_CASE("sectors that cannot be read are lost and come back") {
    class bad_sectors final : public io::source {
    public:
        explicit bad_sectors(const byte_buffer& bytes) : bytes_(bytes) {}
        std::uint64_t size() const override { return bytes_.size(); }
        const std::string& name() const override { return bytes_.name(); }
        void read(std::uint64_t offset, bytes_span to) const override {
            if (offset < 70000 && offset + to.size() > 65536) throw error(errc::io, "Input/output error");
            bytes_.read(offset, to);
        }

    private:
        io::memory_source bytes_;
    };
    protected_file f(1500000);
    const bad_sectors file(f.original);
    const io::ecc_sidecar sidecar(std::make_shared<io::memory_source>(f.parity), file.size());
    io::memory_sink copied;
    archive::detail::copy_what_is_there(file, file.size(), copied, {},
                                        [&](std::uint64_t offset) { return f.layout.next_cell(offset); });
    byte_buffer out = copied.bytes();
    CHECK((out != f.original));
    parallel::serial_executor e;
    const auto write = [&](std::uint64_t offset, bytes_view bytes) {
        std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(offset));
    };
    const repair_report report = archive::detail::repair_with(file, sidecar, {}, write, e);
    CHECK(report.repairable());
    CHECK(report.damaged_cells > 0);
    CHECK((out == f.original));
}
