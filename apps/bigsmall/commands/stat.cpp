// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <bigsmall/archive/inspect.hpp>

#include "commands/ranking.hpp"
#include "console/json.hpp"
#include "console/table.hpp"
#include "options/arguments.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

using tensor = archive::tensor_summary;

constexpr std::size_t name_width = 60, shape_width = 19;

using codec_count = std::pair<std::string, std::uint64_t>;

struct stat_result {
    std::string file;
    std::vector<tensor> tensors; // in the order to print
    std::uint64_t raw_bytes = 0, stored_bytes = 0;
    std::vector<codec_count> codecs; // the commonest first
};

void sort_tensors(std::vector<tensor>& tensors, const std::string& key, bool reverse) {
    const auto before = [&](const tensor& a, const tensor& b) {
        if (key == "size") return a.stored_bytes > b.stored_bytes;
        if (key == "name") return a.name < b.name;
        return ratio_of(a) < ratio_of(b);
    };
    std::stable_sort(tensors.begin(), tensors.end(), [&](const tensor& a, const tensor& b) {
        return reverse ? before(b, a) : before(a, b);
    });
}

std::vector<codec_count> count_codecs(const std::vector<tensor>& tensors) {
    std::map<std::string, std::uint64_t> counts;
    for (const tensor& one : tensors) ++counts[one.coding];
    std::vector<codec_count> list(counts.begin(), counts.end());
    std::stable_sort(list.begin(), list.end(),
                     [](const codec_count& a, const codec_count& b) { return a.second > b.second; });
    return list;
}

stat_result gather(const arguments& given) {
    stat_result result;
    result.file = given.positional(0);
    const std::string wanted = given.value("tensor").value_or("");
    archive::archive_summary summary = archive::inspect(result.file);
    for (tensor& one : summary.tensors) {
        if (one.name.find(wanted) == std::string::npos) continue;
        result.raw_bytes += one.raw_bytes;
        result.stored_bytes += one.stored_bytes;
        result.tensors.push_back(std::move(one));
    }
    result.codecs = count_codecs(result.tensors);
    sort_tensors(result.tensors, given.value("sort").value_or("ratio"), given.has("reverse"));
    return result;
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
    std::string text = "[";
    for (const std::uint64_t extent : shape) text += (text.size() > 1 ? "," : "") + std::to_string(extent);
    return text + "]";
}

table_row row_of(std::size_t number, const tensor& one) {
    return {std::to_string(number),
            shortened(printable(one.name), name_width),
            shortened(shape_text(one.shape), shape_width),
            printable(one.dtype_name),
            printable(one.coding),
            with_thousands(one.raw_bytes),
            with_thousands(one.stored_bytes),
            percent_text(one.stored_bytes, one.raw_bytes)};
}

std::string text_of(const stat_result& result) {
    std::vector<table_row> rows;
    for (const tensor& one : result.tensors) rows.push_back(row_of(rows.size() + 1, one));
    std::string text = table_text({{"#", align::right}, {"name"}, {"shape"}, {"dtype"}, {"codec"},
                                   {"raw", align::right}, {"cmp", align::right}, {"ratio", align::right}},
                                  rows);
    text += "\ntensors:   " + with_thousands(result.tensors.size()) + "\n";
    text += "total raw: " + exact_size(result.raw_bytes) + "\n";
    text += "total cmp: " + exact_size(result.stored_bytes) + "\n";
    text += "overall:   " + percent_text(result.stored_bytes, result.raw_bytes) + "\n";
    text += "codecs:";
    std::string_view gap = "    ";
    for (const auto& [codec, count] : result.codecs) {
        text += std::string(gap) + printable(codec) + " " + with_thousands(count);
        gap = ", ";
    }
    return text + "\n";
}

json json_of(const stat_result& result) {
    json tensors = json::array();
    for (const tensor& one : result.tensors)
        tensors.push_back({{"name", one.name},
                           {"member", one.member},
                           {"dtype", one.dtype_name},
                           {"shape", one.shape},
                           {"codec", one.coding},
                           {"raw_bytes", one.raw_bytes},
                           {"compressed_bytes", one.stored_bytes},
                           {"ratio_pct", percent_json(one.stored_bytes, one.raw_bytes)},
                           {"md5", one.md5.empty() ? json(nullptr) : json(one.md5)},
                           {"duplicate_of", one.duplicate() ? json(one.duplicate_of) : json(nullptr)},
                           {"duplicate_member", one.duplicate() ? json(one.duplicate_member) : json(nullptr)}});
    json codecs = json::array();
    for (const auto& [codec, count] : result.codecs) codecs.push_back({{"codec", codec}, {"tensors", count}});
    return {{"command", "stat"},
            {"file", result.file},
            {"tensor_count", result.tensors.size()},
            {"raw_bytes", result.raw_bytes},
            {"compressed_bytes", result.stored_bytes},
            {"ratio_pct", percent_json(result.stored_bytes, result.raw_bytes)},
            {"codecs", std::move(codecs)},
            {"tensors", std::move(tensors)}};
}

exit_code run(const arguments& given) {
    const stat_result result = gather(given);
    const bool nothing_matched = given.has("tensor") && result.tensors.empty();
    if (given.has("json"))
        print_json(json_of(result));
    else if (!nothing_matched)
        print(text_of(result));
    if (!nothing_matched) return exit_code::done;
    tell("no tensor's name contains '" + *given.value("tensor") + "'");
    return exit_code::no;
}

std::vector<json_field> fields() {
    return {{"command", "string", "\"stat\""},
            {"file", "string", "FILE as given"},
            {"tensor_count", "integer", "tensors listed"},
            {"raw_bytes", "integer", "uncompressed bytes of the tensors listed"},
            {"compressed_bytes", "integer", "stored bytes of the tensors listed"},
            {"ratio_pct", "number or null", "100 * compressed_bytes / raw_bytes, two places"},
            {"codecs", "array", "the codecs met, the commonest first"},
            {"codecs[].codec", "string", "name of the codec"},
            {"codecs[].tensors", "integer", "how many of the tensors listed"},
            {"tensors", "array", "in the order asked for"},
            {"tensors[].name", "string", "name of the tensor"},
            {"tensors[].member", "string", "the source file that holds it"},
            {"tensors[].dtype", "string", "element type, as safetensors names it"},
            {"tensors[].shape", "array of integers", "extents; empty for a scalar"},
            {"tensors[].codec", "string", "codec of most of its blocks; duplicate or empty when it has none"},
            {"tensors[].raw_bytes", "integer", "uncompressed bytes"},
            {"tensors[].compressed_bytes", "integer", "stored bytes; 0 for a duplicate"},
            {"tensors[].ratio_pct", "number or null", "100 * compressed_bytes / raw_bytes, two places"},
            {"tensors[].md5", "string or null",
             "MD5 of the uncompressed bytes in hexadecimal; null when the receipts of the file are damaged"},
            {"tensors[].duplicate_of", "string or null",
             "name of the tensor whose bytes it shares; null when it is stored itself. Bytes of no tensor go by the "
             "source file that they are in, and those in a .bs file that is not there by that file"},
            {"tensors[].duplicate_member", "string or null",
             "the source file that holds these bytes: the member of that tensor, or the same as duplicate_of"}};
}

} // namespace

command_spec stat_command() {
    return {
        .verb = "stat",
        .summary = "List every tensor with its sizes and codec",
        .description =
            {"Prints a table of the tensors in an archive: shape, element type, codec, uncompressed and "
             "compressed bytes, ratio. Only the index is read, so it is quick on any file."},
        .positionals = {{.name = "FILE", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."}},
        .options = {{.name = "sort",
                     .value = "KEY",
                     .help = "Order of the table: ratio puts the best compressed first, size the largest "
                             "compressed first, name goes by the alphabet.",
                     .fallback = "ratio",
                     .choices = {"ratio", "size", "name"}},
                    {.name = "reverse", .help = "Turn the order round."},
                    {.name = "tensor",
                     .value = "SUBSTR",
                     .help = "Only tensors whose name contains SUBSTR; none at all is exit code 1."},
                    json_option(),
                    help_option()},
        .examples = {{"bigsmall stat model.bs --sort ratio --reverse", "The worst compressed first."},
                     {"bigsmall stat model.bs --tensor q_proj", "Some tensors only."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
