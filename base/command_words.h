// A command as a person types it behind a flag: its words, and the program that its first one
// names.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

// Words are apart by blanks. Blanks in the name of a program that is there belong to it: the
// longest beginning that is a file is the first word. None where there are blanks alone.
std::vector<std::string> command_words(const std::string& text);

// As exec takes them: of the words, then a null.
std::vector<char*> exec_pointers(std::vector<std::string>& words);

// A program that the shell would find: a word with a slash is a path, another is looked for in the
// folders of `path` ($PATH). "" where there is none.
std::string program_path(const std::string& word, const std::string& path);

// In this process's $PATH.
std::string program_path(const std::string& word);

}  // namespace voxmark
