// Texts in a policy that do not read as what they are: bidirectional controls, letters of several
// scripts in one word, look-alikes of ASCII. A reviewer sees `admin`; the policy says something
// else. Scripts are told apart by the blocks in which their letters stand, which covers what is in
// use.
#pragma once

#include <functional>
#include <string>

#include "policy/cedar/ast.h"

namespace portcullis::policy::cedar {

using TextWarning = std::function<void(uint32_t offset, const std::string& message)>;

// Every string, pattern and name of the policy's conditions, and the entities of its head.
void WarnOfText(const Policy& policy, const TextWarning& warn);

// What is wrong with one text; empty when nothing is. `name`: it stands for an identifier.
std::string SuspicionOf(std::string_view text, bool name);

}  // namespace portcullis::policy::cedar
