// SPDX-License-Identifier: BSL-1.0
// Files made from the command table: man pages, shell completions, docs/cli. They are committed, and a test
// holds them equal to what these functions return.
#pragma once

#include <string>
#include <vector>

namespace bigsmall::app {

struct generated_file {
    std::string name;
    std::string text;
};

std::vector<generated_file> man_pages();
std::vector<generated_file> completions();
std::vector<generated_file> documentation();

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

} // namespace bigsmall::app
