// SPDX-License-Identifier: BSL-1.0
#include "commands/restored_output.hpp"

#include <bigsmall/archive/opened_archive.hpp>

#include "commands/paths.hpp"
#include "console/output.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {

std::string restored_output(const arguments& given, const std::string& archive) {
    const auto output = given.value("output");
    if (!output) {
        const archive::opened_archive opened(archive);
        opened.require_whole();
        return (opened.restores_directory() ? default_directory(archive) : default_safetensors(archive)).string();
    }
    if (output->empty()) throw usage_error("--output needs a name");
    if (*output == "-" && given.has("json")) throw usage_error("--json and '-o -' both want standard output");
    if (*output == "-" && is_terminal(standard_output) && !given.has("force"))
        throw error(errc::exists, "standard output is a terminal, which cannot show a checkpoint")
            .with_hint("send it to a file or a pipe, or insist with -f");
    return *output;
}

archive::unpack_result restore_to(const std::string& output, const std::string& archive,
                                  const archive::unpack_options& options, work_session& session) {
    if (output != "-") return archive::unpack(archive, output, options, session.executor());
    standard_output_sink out;
    return archive::unpack_to(archive, out, options, session.executor());
}

void warn_of_spares(const archive::unpack_result& result, const std::string& archive) {
    if (!result.spares_ok)
        print_to_user("warning: " + printable(archive) +
                      " is damaged in a part that restoring can do without: 'bigsmall verify' says where, 'bigsmall "
                      "repair' mends it\n");
}

} // namespace bigsmall::app
