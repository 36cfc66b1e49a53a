// SPDX-License-Identifier: BSL-1.0
#include "commands/diff_result.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "console/table.hpp"

namespace bigsmall::app {
namespace {

using archive::difference_kind;
using archive::tensor_difference;
using archive::update_statistics;

constexpr std::size_t name_width = 60, file_width = 36, from_width = 60, most_layers = 128;

const archive::model_tensor& tensor_of(const model_diff& diff, const tensor_difference& difference) {
    return difference.b ? diff.b->tensors()[*difference.b] : diff.a->tensors()[difference.a.front()];
}

// Four digits, and an exponent where there would be many zeros.
std::string four_digits(double number) {
    std::array<char, 40> text{};
    const auto done = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::general, 4);
    return {text.data(), done.ptr};
}

std::string l2_text(const update_statistics& update) {
    const auto l2 = update.relative_l2();
    return l2 ? four_digits(*l2) : "n/a";
}

std::string shape_text(const archive::model_tensor& tensor) {
    std::string text = printable(tensor.dtype_name) + "[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        text += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
    return text + "]";
}

std::string steps_text(const update_statistics& update, double share) {
    const auto most = archive::steps_of_share(update.steps, share);
    return most ? with_thousands(*most) : "";
}

// "3-4" for the third bin.
std::string bin_text(std::size_t bin) {
    const std::uint64_t fewest = archive::fewest_steps_of(bin), most = archive::most_steps_of(bin);
    return fewest == most ? with_thousands(most) : with_thousands(fewest) + " - " + with_thousands(most);
}

// "14 equal, 48 changed": the kinds that are there.
std::string counts_text(const archive::diff_result& found) {
    std::string text;
    for (std::size_t k = 0; k < archive::difference_kinds; ++k) {
        const auto kind = static_cast<difference_kind>(k);
        if (const std::size_t count = found.count(kind); count > 0)
            text += (text.empty() ? "" : ", ") + with_thousands(count) + " " + archive::name_of(kind);
    }
    return text.empty() ? "none" : text;
}

std::string not_finite_text(const update_statistics& update) {
    if (update.excluded == 0) return {};
    return "  not finite:  " + with_thousands(update.not_finite_a) + " words in A, " +
           with_thousands(update.not_finite_b) + " in B; left out of the figures\n";
}

std::string metadata_text(const std::vector<std::string>& keys) {
    if (keys.empty()) return {};
    constexpr std::size_t most_keys = 5;
    std::string text = "  metadata:    differs in ";
    for (std::size_t i = 0; i < std::min(keys.size(), most_keys); ++i)
        text += (i > 0 ? ", " : "") + shortened(printable(keys[i]), name_width);
    if (keys.size() > most_keys) text += " and " + with_thousands(keys.size() - most_keys) + " more";
    return text + "\n";
}

std::string summary_text(const model_diff& diff) {
    const update_statistics& all = diff.found.total.update;
    std::string text =
        printable(diff.a_path) + " -> " + printable(diff.b_path) + (diff.found.equal() ? ": equal\n" : ": different\n");
    text += "  tensors:     " + with_thousands(diff.a->tensors().size()) + " -> " +
            with_thousands(diff.b->tensors().size()) + "; " + counts_text(diff.found) + "\n";
    text += "  words:       " + with_thousands(all.changed_words) + " of " + with_thousands(all.words) + " changed (" +
            percent_text(all.changed_words, all.words) + ")\n";
    if (!all.steps.empty())
        text += "  relative L2: " + l2_text(all) + ", largest update " + four_digits(all.max_update) + "\n";
    text += not_finite_text(all) + metadata_text(diff.found.metadata);
    if (diff.patch)
        text += "  patch:       " + printable(diff.patch->path) + ", " + with_thousands(diff.patch->compressed_bytes) +
                " bytes (" + percent_text(diff.patch->compressed_bytes, diff.patch->source_bytes) + " of B)\n";
    return text + "  elapsed:     " + fixed(diff.seconds, 1) + "s\n";
}

std::string more_text(std::size_t all, std::size_t shown) {
    if (all <= shown) return {};
    return "... and " + with_thousands(all - shown) + " more; --top N lists N, --json all\n";
}

// The name of a tensor, with its file where its model has other tensors of that name.
class tensor_titles {
public:
    explicit tensor_titles(const model_diff& diff) : diff_(diff) {
        for (const archive::model_reader* model : {diff.a.get(), diff.b.get()}) {
            std::set<std::string_view> names;
            for (const archive::model_tensor& tensor : model->tensors())
                if (!names.insert(tensor.name).second) repeated_.insert(tensor.name);
        }
    }

    std::string of(const tensor_difference& one) const {
        const archive::model_tensor& tensor = tensor_of(diff_, one);
        std::string file;
        if (repeated_.contains(tensor.name))
            file = " of " + shortened(printable((one.b ? diff_.b : diff_.a)->files()[tensor.file].name), file_width);
        return shortened(printable(tensor.name), name_width - file.size()) + file;
    }

private:
    const model_diff& diff_;
    std::set<std::string_view> repeated_;
};

using difference_list = std::vector<const tensor_difference*>;

template <class Wanted>
difference_list select(const archive::diff_result& found, Wanted&& wanted) {
    difference_list list;
    for (const tensor_difference& one : found.tensors)
        if (wanted(one.kind)) list.push_back(&one);
    return list;
}

bool is_of_other_form(difference_kind kind) {
    return kind != difference_kind::equal && kind != difference_kind::changed;
}

// What it was: "embed.weight BF16[32000,64]", the first of several and how many more.
std::string origin_text(const model_diff& diff, const tensor_difference& one) {
    if (one.a.empty() || !one.b) return {};
    const archive::model_tensor& first = diff.a->tensors()[one.a.front()];
    std::string text = shortened(printable(first.name), from_width) + " " + shape_text(first);
    if (one.a.size() > 1) text += " and " + with_thousands(one.a.size() - 1) + " more";
    if (one.kind == difference_kind::resized)
        text += ", +" + with_thousands(one.rows_added) + " -" + with_thousands(one.rows_removed) + " rows";
    return text;
}

std::string other_forms_text(const model_diff& diff, const tensor_titles& titles, const diff_view& view) {
    const difference_list list = select(diff.found, is_of_other_form);
    if (list.empty() || view.most_rows == 0) return {};
    std::vector<table_row> rows;
    for (const tensor_difference* one : list) {
        if (rows.size() == view.most_rows) break;
        const archive::model_tensor& tensor = tensor_of(diff, *one);
        const bool compared = one->update.words > 0;
        rows.push_back({archive::name_of(one->kind), titles.of(*one), shape_text(tensor), origin_text(diff, *one),
                        compared ? percent_text(one->update.changed_words, one->update.words) : "",
                        compared && !one->update.steps.empty() ? l2_text(one->update) : ""});
    }
    return "\n" +
           table_text({{"kind"}, {"tensor"}, {"form"}, {"was"}, {"words", align::right}, {"rel L2", align::right}},
                      rows) +
           more_text(list.size(), rows.size());
}

// Those that moved most first; those whose values are not known to be numbers last.
void sort_by_change(difference_list& list) {
    const auto size_of = [](const tensor_difference& one) {
        return one.update.steps.empty() ? -1.0 : one.update.relative_l2().value_or(1e308);
    };
    std::stable_sort(list.begin(), list.end(), [&](const tensor_difference* x, const tensor_difference* y) {
        const double a = size_of(*x), b = size_of(*y);
        return a != b ? a > b : x->update.changed_share() > y->update.changed_share();
    });
}

std::string changed_text(const model_diff& diff, const tensor_titles& titles, const diff_view& view) {
    difference_list list = select(diff.found, [](difference_kind kind) { return kind == difference_kind::changed; });
    if (list.empty() || view.most_rows == 0) return {};
    sort_by_change(list);
    std::vector<table_row> rows;
    for (const tensor_difference* one : list) {
        if (rows.size() == view.most_rows) break;
        const archive::model_tensor& tensor = tensor_of(diff, *one);
        const update_statistics& update = one->update;
        const bool numbers = !update.steps.empty();
        rows.push_back({titles.of(*one), shape_text(tensor), percent_text(update.changed_words, update.words),
                        numbers ? l2_text(update) : "", numbers ? four_digits(update.max_update) : "",
                        steps_text(update, 0.5), steps_text(update, 0.99)});
    }
    return "\n" +
           table_text({{"changed tensor"},
                       {"form"},
                       {"words", align::right},
                       {"rel L2", align::right},
                       {"max update", align::right},
                       {"ULP 50%", align::right},
                       {"ULP 99%", align::right}},
                      rows) +
           more_text(list.size(), rows.size());
}

std::string equal_text(const model_diff& diff, const tensor_titles& titles) {
    std::vector<table_row> rows;
    for (const tensor_difference* one :
         select(diff.found, [](difference_kind kind) { return kind == difference_kind::equal; })) {
        const archive::model_tensor& tensor = tensor_of(diff, *one);
        rows.push_back({titles.of(*one), shape_text(tensor)});
    }
    return rows.empty() ? "" : "\n" + table_text({{"equal tensor"}, {"form"}}, rows);
}

std::string layer_text(const archive::difference_group& group) {
    if (!group.layer) return "none";
    std::string name = printable(group.name);
    if (!name.empty() && name.back() != '/') name += '.';
    return name + std::to_string(*group.layer);
}

std::string groups_text(std::string_view title, const std::vector<archive::difference_group>& groups,
                        std::string (*name)(const archive::difference_group&)) {
    std::vector<table_row> rows;
    std::size_t different = 0;
    for (const archive::difference_group& group : groups) {
        if (group.different == 0) continue;
        if (++different > most_layers) continue;
        const update_statistics& update = group.update;
        rows.push_back({shortened(name(group), name_width), with_thousands(group.tensors),
                        with_thousands(group.different), percent_text(update.changed_words, update.words),
                        update.steps.empty() ? "" : l2_text(update),
                        update.steps.empty() ? "" : four_digits(update.max_update)});
    }
    std::string text = "\n" + table_text({{title},
                                          {"tensors", align::right},
                                          {"different", align::right},
                                          {"words", align::right},
                                          {"rel L2", align::right},
                                          {"max update", align::right}},
                                         rows);
    if (different > rows.size()) text += "... and " + with_thousands(different - rows.size()) + " more in --json\n";
    return text;
}

std::string histogram_text(const update_statistics& update) {
    if (update.steps.empty()) return {};
    std::uint64_t words = 0;
    for (const std::uint64_t count : update.steps)
        words += count;
    std::vector<table_row> rows;
    for (std::size_t bin = 0; bin < update.steps.size(); ++bin)
        if (update.steps[bin] > 0)
            rows.push_back({bin_text(bin), with_thousands(update.steps[bin]), percent_text(update.steps[bin], words)});
    return "\n" + table_text({{"moved by ULP", align::right}, {"words", align::right}, {"share", align::right}}, rows);
}

json number_or_null(bool known, double number) { return known ? json(number) : json(nullptr); }

// The fields that tensors, groups and the whole have in common.
void add_update(json& object, const update_statistics& update) {
    const bool numbers = !update.steps.empty();
    const auto l2 = update.relative_l2();
    object["words"] = update.words;
    object["changed_words"] = update.changed_words;
    object["changed_pct"] = percent_json(update.changed_words, update.words);
    object["relative_l2"] = number_or_null(numbers && l2, l2.value_or(0));
    object["max_update"] = number_or_null(numbers, update.max_update);
    object["not_finite_a"] = update.not_finite_a;
    object["not_finite_b"] = update.not_finite_b;
    object["excluded"] = update.excluded;
    object["ulp_histogram"] = update.steps;
}

json side_json(const archive::model_reader& model, std::size_t number) {
    const archive::model_tensor& tensor = model.tensors()[number];
    return {{"name", tensor.name},
            {"file", model.files()[tensor.file].name},
            {"dtype", tensor.dtype_name},
            {"shape", tensor.shape}};
}

json tensor_json(const model_diff& diff, const tensor_difference& one) {
    json from = json::array();
    for (const std::size_t number : one.a)
        from.push_back(side_json(*diff.a, number));
    json object{{"kind", archive::name_of(one.kind)}};
    object["tensor"] = one.b ? side_json(*diff.b, *one.b) : json(nullptr);
    object["from"] = std::move(from);
    object["rows_added"] = one.rows_added;
    object["rows_removed"] = one.rows_removed;
    add_update(object, one.update);
    return object;
}

json tensors_json(const model_diff& diff, const diff_view& view) {
    json list = json::array();
    for (const tensor_difference& one : diff.found.tensors)
        if (view.equal_too || one.kind != difference_kind::equal) list.push_back(tensor_json(diff, one));
    return list;
}

json groups_json(std::string_view key, const std::vector<archive::difference_group>& groups) {
    json list = json::array();
    for (const archive::difference_group& group : groups) {
        json object{{std::string(key), group.name}};
        if (key == "stack") object["layer"] = group.layer ? json(*group.layer) : json(nullptr);
        object["tensors"] = group.tensors;
        object["different"] = group.different;
        add_update(object, group.update);
        list.push_back(std::move(object));
    }
    return list;
}

json counts_json(const archive::diff_result& found) {
    json counts;
    for (std::size_t k = 0; k < archive::difference_kinds; ++k) {
        const auto kind = static_cast<difference_kind>(k);
        counts[archive::name_of(kind)] = found.count(kind);
    }
    return counts;
}

json patch_json(const std::optional<written_patch>& patch) {
    if (!patch) return nullptr;
    return {{"path", patch->path},
            {"source_bytes", patch->source_bytes},
            {"compressed_bytes", patch->compressed_bytes},
            {"ratio_pct", percent_json(patch->compressed_bytes, patch->source_bytes)},
            {"removed_files", paths_json(patch->removed_files)}};
}

} // namespace

std::string text_of(const model_diff& diff, const diff_view& view) {
    const auto role_text = [](const archive::difference_group& group) { return group.name; };
    const tensor_titles titles(diff);
    std::string text = summary_text(diff);
    if (!diff.found.equal())
        text += other_forms_text(diff, titles, view) + changed_text(diff, titles, view) +
                groups_text("layer", diff.found.layers, layer_text) + groups_text("role", diff.found.roles, role_text) +
                histogram_text(diff.found.total.update);
    return view.equal_too ? text + equal_text(diff, titles) : text;
}

json json_of(const model_diff& diff, const diff_view& view) {
    json object{{"command", "diff"},
                {"a", diff.a_path},
                {"b", diff.b_path},
                {"equal", diff.found.equal()},
                {"tensors_a", diff.a->tensors().size()},
                {"tensors_b", diff.b->tensors().size()},
                {"counts", counts_json(diff.found)}};
    add_update(object, diff.found.total.update);
    object["metadata_changed"] = diff.found.metadata;
    object["tensors"] = tensors_json(diff, view);
    object["layers"] = groups_json("stack", diff.found.layers);
    object["roles"] = groups_json("role", diff.found.roles);
    object["patch"] = patch_json(diff.patch);
    object["elapsed_seconds"] = seconds_json(diff.seconds);
    return object;
}

} // namespace bigsmall::app
