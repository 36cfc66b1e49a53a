// SPDX-License-Identifier: BSL-1.0
#include "commands/info_result.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace bigsmall::app {
namespace {

using tensor = archive::tensor_summary;

constexpr std::size_t name_width = 60, label_width = 24;

std::string format_of(const archive::archive_summary& summary) {
    return summary.dominant_dtype.empty() ? "none" : summary.dominant_dtype;
}

// Named by the writer; files of other writers name none.
std::string point_name_of(const archive::archive_summary& summary) {
    if (summary.containers.empty()) return {};
    const auto point = archive::point_of_writer(summary.containers.front().writer);
    return point ? std::string(archive::recipe_of(*point).name) : std::string();
}

std::string version_of(const archive::container_summary& container) {
    return std::to_string(container.version_major) + "." + std::to_string(container.version_minor);
}

// The parts of a container that exist twice or guard the rest, and whether each is sound.
using health_line = std::pair<std::string_view, bool>;

std::array<health_line, 7> health_of(const archive::container_summary& container) {
    const auto& health = container.health;
    return {health_line{"header", health.header_ok}, {"footer_a", health.footer_a_ok}, {"footer_b", health.footer_b_ok},
            {"index_a", health.index_a_ok},          {"index_b", health.index_b_ok},   {"size", health.size_ok},
            {"receipts", health.receipts_ok}};
}

std::string health_text(const archive::container_summary& container) {
    std::string damaged;
    for (const auto& [part, sound] : health_of(container))
        if (!sound) damaged += (damaged.empty() ? "" : ", ") + std::string(part);
    return damaged.empty() ? "sound" : "damaged: " + damaged;
}

std::string field(std::string_view label, const std::string& value) {
    return "  " + padded_right(std::string(label), label_width) + " " + value + "\n";
}

std::string header_text(const archive::archive_summary& summary) {
    std::string text = field("format", printable(format_of(summary)));
    if (!summary.containers.empty()) { // a directory of shards may have none
        text += field("container_version", version_of(summary.containers.front()));
        text += field("written_by", printable(summary.containers.front().writer));
    }
    if (!summary.model_type.empty()) text += field("model_type", printable(summary.model_type));
    if (const std::string point = point_name_of(summary); !point.empty()) text += field("operating_point", point);
    text += field("tensor_count", with_thousands(summary.tensors.size()));
    text += field("duplicate_tensors", with_thousands(summary.duplicate_tensors));
    text += field("file_size", exact_size(summary.file_bytes));
    text += field("source_bytes", exact_size(summary.source_bytes));
    text += field("raw_bytes", exact_size(summary.tensor_bytes));
    text += field("overall ratio_pct", percent_text(summary.file_bytes, summary.source_bytes));
    text += field("layer_count", with_thousands(summary.layer_count));
    text += field("non_layer_raw_bytes", exact_size(summary.non_layer_raw_bytes));
    text += field("largest_layer_raw_bytes", exact_size(summary.largest_layer_raw_bytes));
    return text + field("streaming_peak_ram_est", exact_size(summary.streaming_peak_bytes()));
}

std::string breakdown_text(std::string_view label, const std::vector<archive::group_summary>& list) {
    std::size_t width = label_width - 2; // values begin in the same column as those of the fields, if they can
    for (const archive::group_summary& one : list)
        width = std::max(width, character_count(printable(one.name)));
    std::string text = "  " + std::string(label) + "\n";
    for (const archive::group_summary& one : list)
        text += "    " + padded_right(printable(one.name), width) + " " + with_thousands(one.tensors) + " tensors, " +
                exact_size(one.raw_bytes) + "\n";
    return text;
}

std::string extremes_text(std::string_view label, const std::vector<const tensor*>& list) {
    std::string text = "  " + std::string(label) + "\n";
    for (const tensor* one : list)
        text += "    " + padded_left(percent_text(one->stored_bytes, one->raw_bytes), 7) + "  " +
                shortened(printable(one->name), name_width) + "  " + with_thousands(one->raw_bytes) + " -> " +
                with_thousands(one->stored_bytes) + " bytes\n";
    return text;
}

std::string member_text(const std::string& sha256, const std::string& path, std::uint64_t bytes) {
    return "    sha256 " + sha256 + "  " + printable(path) + "  " + exact_size(bytes) + "\n";
}

// Where the chain begins: the base of the first patch, or the archive that restores it.
std::string chain_text(const std::vector<archive::patch_link>& chain) {
    if (chain.empty()) return {};
    std::string text = "  base\n";
    for (const archive::base_file_summary& file : chain.front().base)
        text += member_text(file.sha256, file.name, file.bytes);
    std::string line;
    for (const archive::patch_link& link : chain) {
        line = printable(link.container.filename().string()) + (line.empty() ? "" : " -> " + line);
        if (&link == &chain.back() && !link.base.empty()) line = printable(link.base.front().name) + " -> " + line;
    }
    return text + field("chain", line);
}

json chain_json(const std::vector<archive::patch_link>& chain) {
    json out = json::array();
    for (const archive::patch_link& link : chain) {
        json base = json::array();
        for (const archive::base_file_summary& file : link.base)
            base.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
        out.push_back({{"file", link.container.string()}, {"base", std::move(base)}});
    }
    return out;
}

std::string_view name_of(io::member_kind kind) { return kind == io::member_kind::safetensors ? "safetensors" : "file"; }

json breakdown_json(std::string_view key, const std::vector<archive::group_summary>& list) {
    json out = json::array();
    for (const archive::group_summary& one : list)
        out.push_back({{std::string(key), one.name},
                       {"tensors", one.tensors},
                       {"raw_bytes", one.raw_bytes},
                       {"compressed_bytes", one.stored_bytes}});
    return out;
}

json extremes_json(const std::vector<const tensor*>& list) {
    json out = json::array();
    for (const tensor* one : list)
        out.push_back({{"name", one->name},
                       {"raw_bytes", one->raw_bytes},
                       {"compressed_bytes", one->stored_bytes},
                       {"ratio_pct", percent_json(one->stored_bytes, one->raw_bytes)}});
    return out;
}

json members_json(const archive::archive_summary& summary) {
    json out = json::array();
    for (const archive::member_summary& member : summary.members)
        out.push_back({{"path", member.path},
                       {"kind", name_of(member.kind)},
                       {"raw_bytes", member.raw_bytes},
                       {"compressed_bytes", member.stored_bytes},
                       {"sha256", member.sha256}});
    for (const archive::carried_record& file : summary.carried)
        out.push_back({{"path", file.file},
                       {"kind", "carried"},
                       {"raw_bytes", file.bytes},
                       {"compressed_bytes", file.bytes},
                       {"sha256", file.sha256}});
    return out;
}

json containers_json(const std::vector<archive::container_summary>& containers) {
    json out = json::array();
    for (const archive::container_summary& container : containers) {
        json health;
        for (const auto& [part, sound] : health_of(container))
            health[std::string(part)] = sound;
        out.push_back({{"file", container.path.string()},
                       {"file_size", container.file_bytes},
                       {"container_version", version_of(container)},
                       {"written_by", container.writer},
                       {"needs", container.needs},
                       {"index_health", std::move(health)}});
    }
    return out;
}

// The part of the object that describes files.
std::vector<json_field> file_fields() {
    return {{"members", "array", "the files that decompress restores"},
            {"members[].path", "string", "path in the directory, or the name of the file"},
            {"members[].kind", "string", "safetensors, file, or carried (lies beside the .bs files as it is)"},
            {"members[].raw_bytes", "integer", "size"},
            {"members[].compressed_bytes", "integer", "stored bytes, without a share of the index"},
            {"members[].sha256", "string", "SHA-256 in hexadecimal, that of the source file"},
            {"containers", "array", "the .bs files of the archive"},
            {"containers[].file", "string", "where it lies"},
            {"containers[].file_size", "integer", "its bytes"},
            {"containers[].container_version", "string", "major.minor of its format"},
            {"containers[].written_by", "string", "the program that wrote it"},
            {"containers[].needs", "array of strings", "other .bs files that hold some of its tensors"},
            {"containers[].index_health", "object", "which parts are sound; one copy of the index is enough"},
            {"containers[].index_health.header", "boolean", "the header of the file"},
            {"containers[].index_health.footer_a", "boolean", "the first footer"},
            {"containers[].index_health.footer_b", "boolean", "the last footer"},
            {"containers[].index_health.index_a", "boolean", "the first copy of the index"},
            {"containers[].index_health.index_b", "boolean", "the second copy of the index"},
            {"containers[].index_health.size", "boolean", "the file ends where it says"},
            {"containers[].index_health.receipts", "boolean", "the MD5s of the tensors"}};
}

} // namespace

std::string text_of(const info_result& result) {
    const archive::archive_summary& summary = result.summary;
    std::string text = "BigSmall container: " + printable(result.file) + "\n" + header_text(summary);
    text += breakdown_text("format_breakdown", summary.dtypes);
    text += breakdown_text("codec_breakdown", summary.codings);
    text += extremes_text("best", result.best) + extremes_text("worst", result.worst) + "  members\n";
    for (const archive::member_summary& member : summary.members)
        text += member_text(member.sha256, member.path, member.raw_bytes);
    for (const archive::carried_record& file : summary.carried)
        text += member_text(file.sha256, file.file, file.bytes);
    text += chain_text(result.chain) + "  index\n";
    for (const archive::container_summary& container : summary.containers)
        text += "    " + health_text(container) + "  " + printable(container.path.string()) + "\n";
    return text;
}

json json_of(const info_result& result) {
    const archive::archive_summary& summary = result.summary;
    const std::string point = point_name_of(summary);
    return {{"command", "info"},
            {"container", result.file},
            {"format", format_of(summary)},
            {"model_type", summary.model_type.empty() ? json(nullptr) : json(summary.model_type)},
            {"operating_point", point.empty() ? json(nullptr) : json(point)},
            {"per_shard", summary.sharded},
            {"directory", summary.directory},
            {"tensor_count", summary.tensors.size()},
            {"duplicate_tensors", summary.duplicate_tensors},
            {"file_size", summary.file_bytes},
            {"source_bytes", summary.source_bytes},
            {"raw_bytes", summary.tensor_bytes},
            {"ratio_pct", percent_json(summary.file_bytes, summary.source_bytes)},
            {"layer_count", summary.layer_count},
            {"non_layer_raw_bytes", summary.non_layer_raw_bytes},
            {"largest_layer_raw_bytes", summary.largest_layer_raw_bytes},
            {"streaming_peak_ram_est", summary.streaming_peak_bytes()},
            {"format_breakdown", breakdown_json("format", summary.dtypes)},
            {"codec_breakdown", breakdown_json("codec", summary.codings)},
            {"best", extremes_json(result.best)},
            {"worst", extremes_json(result.worst)},
            {"chain", chain_json(result.chain)},
            {"members", members_json(summary)},
            {"containers", containers_json(summary.containers)}};
}

std::vector<json_field> info_fields() {
    std::vector<json_field> fields{
        {"command", "string", "\"info\""},
        {"container", "string", "FILE as given"},
        {"format", "string", "element type of most of the bytes, or none"},
        {"model_type", "string or null", "model_type in the config.json that it carries"},
        {"operating_point", "string or null", "storage, balanced or inference: what the first .bs is tuned for"},
        {"per_shard", "boolean", "true for a directory with one .bs for each shard"},
        {"directory", "boolean", "true when decompress makes a directory"},
        {"tensor_count", "integer", "tensors"},
        {"duplicate_tensors", "integer", "of these, how many share their bytes with an earlier one"},
        {"file_size", "integer", "bytes of the archive, all its files together"},
        {"source_bytes", "integer", "bytes of the files that decompress restores"},
        {"raw_bytes", "integer", "uncompressed bytes of all tensors, duplicates included"},
        {"ratio_pct", "number or null", "100 * file_size / source_bytes, two places"},
        {"layer_count", "integer", "layers recognised by the tensors' names"},
        {"non_layer_raw_bytes", "integer", "uncompressed bytes of the tensors of no layer"},
        {"largest_layer_raw_bytes", "integer", "uncompressed bytes of the largest layer"},
        {"streaming_peak_ram_est", "integer", "non_layer_raw_bytes + largest_layer_raw_bytes"},
        {"format_breakdown", "array", "tensors by element type, most bytes first"},
        {"format_breakdown[].format", "string", "element type, as safetensors names it"},
        {"format_breakdown[].tensors", "integer", "how many"},
        {"format_breakdown[].raw_bytes", "integer", "their uncompressed bytes"},
        {"format_breakdown[].compressed_bytes", "integer", "their stored bytes"},
        {"codec_breakdown", "array", "tensors by codec, the commonest first"},
        {"codec_breakdown[].codec", "string", "codec of most blocks; duplicate or empty when there are none"},
        {"codec_breakdown[].tensors", "integer", "how many"},
        {"codec_breakdown[].raw_bytes", "integer", "their uncompressed bytes"},
        {"codec_breakdown[].compressed_bytes", "integer", "their stored bytes"},
        {"best", "array", "the five best compressed tensors that take bytes of their own"},
        {"best[].name", "string", "name of the tensor"},
        {"best[].raw_bytes", "integer", "uncompressed bytes"},
        {"best[].compressed_bytes", "integer", "stored bytes"},
        {"best[].ratio_pct", "number or null", "100 * compressed_bytes / raw_bytes, two places"},
        {"worst", "array", "the five worst, with the same fields"},
        {"chain", "array", "of a patch: itself, then the containers of its folder that lead to it; else empty"},
        {"chain[].file", "string", "where it lies"},
        {"chain[].base", "array", "the files of the base that it was made against; empty when it is no patch"},
        {"chain[].base[].name", "string", "path in the base"},
        {"chain[].base[].bytes", "integer", "size"},
        {"chain[].base[].sha256", "string", "SHA-256 in hexadecimal"}};
    for (const json_field& field : file_fields())
        fields.push_back(field);
    return fields;
}

} // namespace bigsmall::app
