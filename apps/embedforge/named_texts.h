// Takes: the name of a set of texts, or a file. Gives: the texts, checked. Never: more than a run
// can finish in a sensible time.
#pragma once

#include <string>
#include <vector>

namespace embedforge::app {

/// "sentences": the 1,000 of the guide ("Sample document number 7 with some content."); "passages":
/// 400 pieces of English prose of 5 to 400 words, out of the documentation that Python carries;
/// else a file with a text a line. Errors: kBadInput for a file that is empty, binary, not UTF-8 or
/// larger than 100,000 texts or 64 MB; kNotSupported for passages where there is no Python.
std::vector<std::string> named_texts(const std::string& name);

/// The interpreter in EMBEDFORGE_PYTHON, else python3.
std::string default_python();

}  // namespace embedforge::app
