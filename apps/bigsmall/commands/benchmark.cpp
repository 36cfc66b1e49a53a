// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_source.hpp>

#include "benchmark/measure.hpp"
#include "benchmark/result.hpp"
#include "benchmark/temporary_folder.hpp"
#include "commands/work.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_rounds = 1000;

struct request {
    std::string source, output, chart;
    std::vector<archive::operating_point> points;
    std::uint64_t rounds = 3;
    layer_detail detail = layer_detail::one;
};

std::vector<archive::operating_point> points_of(const arguments& given) {
    std::vector<archive::operating_point> points;
    for (const std::string& name : given.all("point")) {
        const archive::operating_point point = *archive::point_of(name); // the parser knows the choices
        if (std::find(points.begin(), points.end(), point) != points.end())
            throw usage_error("--point " + name + " is given twice");
        points.push_back(point);
    }
    if (points.empty()) points.assign(std::begin(archive::operating_points), std::end(archive::operating_points));
    return points;
}

bool same_place(const std::string& a, const std::string& b) {
    std::error_code failed; // then the names are different as far as anybody can tell
    return !b.empty() && fs::weakly_canonical(fs::absolute(a), failed) == fs::weakly_canonical(fs::absolute(b), failed);
}

request read_request(const arguments& given) {
    given.exclude("detailed", "no-detail");
    request asked;
    asked.source = given.positional(0);
    asked.points = points_of(given);
    for (const auto& [option, name] : {std::pair{"output", &asked.output}, std::pair{"chart", &asked.chart}}) {
        *name = given.value(option).value_or("");
        if (given.has(option) && name->empty()) throw usage_error("--" + std::string(option) + " needs a name");
        if (*name == "-")
            throw usage_error("--" + std::string(option) + " cannot be standard output, where the figures go",
                              "a file of that name is './-'");
    }
    if (!asked.output.empty() && same_place(asked.output, asked.chart))
        throw usage_error("--output and --chart name the same file");
    asked.rounds = given.integer("rounds", 1, most_rounds).value_or(asked.rounds);
    if (given.has("detailed")) asked.detail = layer_detail::every;
    if (given.has("no-detail")) asked.detail = layer_detail::none;
    return asked;
}

// Of several points, the file of the default one is kept, else that of the first.
archive::operating_point kept_point(const request& asked) {
    const auto found = std::find(asked.points.begin(), asked.points.end(), archive::operating_point::balanced);
    return found != asked.points.end() ? *found : asked.points.front();
}

// Before hours of measuring rather than after them.
void check_output(const std::string& output, const archive::input_files& inputs, const archive::run_options& options) {
    if (output.empty()) return;
    inputs.require_apart(output);
    io::atomic_file(output, options.existing);
}

void copy_to(const fs::path& from, io::atomic_file& to, const archive::run_options& options) {
    const io::file_source file(from);
    byte_buffer buffer(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 4 * MiB)));
    for (std::uint64_t done = 0; done < file.size();) {
        if (options.cancel != nullptr) options.cancel->throw_if_requested();
        const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file.size() - done));
        file.read(done, bytes_span(buffer).first(now));
        to.write(bytes_view(buffer).first(now));
        done += now;
    }
}

// Both outputs are complete before either gets its name.
void write_outputs(const request& asked, const fs::path& kept, const benchmark_result& result,
                   const archive::run_options& options) {
    std::optional<io::atomic_file> archive_file, chart_file;
    if (!asked.output.empty()) copy_to(kept, archive_file.emplace(asked.output, options.existing), options);
    if (!asked.chart.empty()) chart_file.emplace(asked.chart, options.existing).write(as_bytes_view(chart_of(result)));
    if (archive_file) archive_file->commit();
    if (chart_file) chart_file->commit();
}

benchmark_result work(const request& asked, const arguments& given) {
    work_session session(given, show_ratio::no);
    archive::run_options options;
    session.apply_to(options, given);
    const archive::source_tree tree = archive::find_files(asked.source);
    const archive::input_files inputs = archive::inputs_of(asked.source, tree);
    check_output(asked.output, inputs, options);
    check_output(asked.chart, inputs, options);
    const archive::pack_plan plan = archive::make_plan(tree);
    benchmark_result result;
    result.source = asked.source;
    result.output = asked.output;
    result.chart = asked.chart;
    result.detail = asked.detail;
    result.source_bytes = plan.source_bytes;
    for (const archive::planned_member& member : plan.members)
        for (const archive::planned_extent& extent : member.extents)
            result.tensors += extent.kind == io::extent_kind::tensor ? 1 : 0;
    result.threads = session.executor().concurrency();
    result.rounds = asked.rounds;

    const temporary_folder folder;
    const fs::path kept = folder / "kept.bs";
    for (const archive::operating_point point : asked.points) {
        const bool keep = !asked.output.empty() && point == kept_point(asked);
        const fs::path file = keep ? kept : folder / "measured.bs";
        result.points.push_back(measure(asked.source, file, point, asked.rounds, options, session.executor()));
        if (!keep) fs::remove(file);
    }
    write_outputs(asked, kept, result, options);
    result.seconds = session.finish();
    return result;
}

exit_code run(const arguments& given) {
    const benchmark_result result = work(read_request(given), given);
    if (given.has("json"))
        print_json(json_of(result));
    else
        print(text_of(result));
    return exit_code::done;
}

std::vector<option_spec> options() {
    return {{.name = "point",
             .value = "POINT",
             .help = "An operating point to measure, see compress; may be given several times.",
             .fallback = "all three",
             .choices = {"storage", "balanced", "inference"},
             .repeatable = true},
            {.name = "rounds",
             .value = "N",
             .help = "How often everything is measured, 1 to 1000; medians are reported.",
             .fallback = "3"},
            {.name = "detailed", .help = "Print the table of layers for every point."},
            {.name = "no-detail", .help = "Print no table of layers."},
            {.name = "output",
             .letter = 'o',
             .value = "OUT",
             .help = "Keep the .bs here: that of balanced, or of the first --point when balanced is not measured.",
             .fallback = "nothing is kept",
             .kind = value_kind::path},
            {.name = "chart",
             .value = "SVG",
             .help = "Draw size against decoding speed, with memcpy, into an SVG file.",
             .kind = value_kind::path},
            force_option(),
            threads_option(),
            json_option(),
            no_progress_option(),
            help_option()};
}

} // namespace

command_spec benchmark_command() {
    return {
        .verb = "benchmark",
        .summary = "Measure size, speed and memory on a model of yours",
        .description =
            {"Compresses a .safetensors file or a directory for each operating point, decodes it, compares every "
             "restored byte with the source, and reports size, speed, memory and the kinds of layers.",
             "Speeds are given twice, in MB/s (10^6 bytes of the source): of whole runs, as compress and decompress "
             "do them, where hashing the receipts sets a limit, only that nothing is written while decoding; and of "
             "the codec alone, from memory to memory, on at most about 256 MiB. Both are compared with memcpy, which "
             "copies the same pieces on the same threads in the same rounds.",
             "Memory is the most that the process held resident, itself included; the first rounds of later points "
             "may find some of it there already. The compressed files lie in $TMPDIR, or /tmp, and are removed."},
        .positionals = {{.name = "SRC", .help = "A .safetensors file or a directory."}},
        .options = options(),
        .examples = {{"bigsmall benchmark model.safetensors", "All three operating points."},
                     {"bigsmall benchmark model.safetensors --point storage --point balanced",
                      "Two of them."},
                     {"bigsmall benchmark ./llama --rounds 5 --threads 1 --chart llama.svg",
                      "More patiently, on one thread, with a picture."}},
        .json = benchmark_fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
