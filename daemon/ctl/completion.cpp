// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/completion.hpp"

#include <fmt/core.h>

#include <functional>

namespace morpheus::ctl {
namespace {

/// Calls `visit` with each verb and the names that lead to it (none for the root).
void walk(const Verb& verb, const std::string& path,
          const std::function<void(const Verb&, const std::string&)>& visit) {
  visit(verb, path);
  for (const auto& sub : verb.verbs)
    walk(sub, path.empty() ? sub.name : path + " " + sub.name, visit);
}

std::string quoted(const std::string& text, const char* escape) {
  std::string out = "'";
  for (const char c : text)
    if (c == '\'')
      out += escape;
    else
      out += c;
  return out + "'";
}

/// The words that may follow: sub-verbs, choices of positional arguments, options.
std::string candidates(const Verb& verb, const Verb& root) {
  std::string words;
  const auto add = [&](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
  for (const auto& sub : verb.verbs) add(sub.name);
  for (const auto& word : verb.words) {
    if (word.names.empty())
      for (const auto& choice : word.choices) add(choice);
    for (const auto& name : word.names) add(name);
  }
  if (&verb != &root)
    for (const auto& word : root.words)
      for (const auto& name : word.names)
        if (name == "--json" || name == "--socket") add(name);
  return words;
}

std::string joined(const std::vector<std::string>& parts, const char* by) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : by) + part;
  return out;
}

// The words of each verb as the branches of a case on the verbs typed so far.
std::string cases(const Verb& root) {
  std::string out;
  walk(root, "", [&](const Verb& verb, const std::string& path) {
    out +=
        fmt::format("    {}) words={} ;;\n", quoted(path, ""), quoted(candidates(verb, root), ""));
  });
  return out;
}

// The choices of an option's value as the branches of a case on the word before.
std::string value_cases(const Verb& root) {
  std::string out;
  walk(root, "", [&](const Verb& verb, const std::string&) {
    for (const auto& word : verb.words)
      if (!word.names.empty() && word.takes_value)
        out += fmt::format("    {}) words={}{} ;;\n", joined(word.names, "|"),
                           quoted(joined(word.choices, " "), ""),
                           word.takes_file ? "; value=file" : "");
  });
  return out;
}

std::string verb_names(const Verb& root) {
  std::vector<std::string> names;
  walk(root, "", [&](const Verb& verb, const std::string& path) {
    if (!path.empty()) names.push_back(verb.name);
  });
  return joined(names, "|");
}

std::string bash_script(const Verb& root) {
  return fmt::format(R"(# bash completion for morpheusctl; made by: morpheusctl completion bash
_morpheusctl() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verbs= words= value= word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in
      {}) verbs=${{verbs:+$verbs }}$word ;;
    esac
  done
  case $verbs in
{}  esac
  case $before in
{}  esac
  if [[ $value == file ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -F _morpheusctl morpheusctl
)",
                     verb_names(root), cases(root), value_cases(root));
}

std::string zsh_script(const Verb& root) {
  return fmt::format(R"(#compdef morpheusctl
# zsh completion for morpheusctl; made by: morpheusctl completion zsh
_morpheusctl() {{
  local before=${{words[CURRENT-1]}} verbs= word value=
  local -a typed=("${{(@)words[2,CURRENT-1]}}")
  for word in $typed; do
    case $word in
      ({}) verbs=${{verbs:+$verbs }}$word ;;
    esac
  done
  local words
  case $verbs in
{}  esac
  case $before in
{}  esac
  if [[ $value == file ]]; then
    _files
  else
    compadd -- ${{=words}}
  fi
}}
# autoloaded from fpath, or sourced?
if [[ $funcstack[1] == _morpheusctl ]]; then
  _morpheusctl "$@"
else
  compdef _morpheusctl morpheusctl
fi
)",
                     verb_names(root), cases(root), value_cases(root));
}

std::string fish_line(const std::string& condition, const std::string& rest) {
  return fmt::format("complete -c morpheusctl -n {} {}\n", quoted(condition, "\\'"), rest);
}

std::string fish_option(const std::string& condition, const Word& word) {
  std::string rest;
  for (const auto& name : word.names)
    rest += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  rest += " -d " + quoted(word.help, "\\'");
  if (word.takes_value)
    rest += word.takes_file ? " -r -F" : " -x -a " + quoted(joined(word.choices, " "), "\\'");
  return fish_line(condition, rest.substr(1));
}

std::string fish_script(const Verb& root) {
  std::string out =
      "# fish completion for morpheusctl; made by: morpheusctl completion fish\n"
      "complete -c morpheusctl -f\n";
  walk(root, "", [&](const Verb& verb, const std::string& path) {
    std::string condition = path.empty() ? "true" : "__fish_seen_subcommand_from " + verb.name;
    for (const auto& word : verb.words) {
      if (word.names.empty()) {
        if (!word.choices.empty())
          out += fish_line(condition, "-a " + quoted(joined(word.choices, " "), "\\'"));
      } else if (path.empty() || word.names.back() != "--help") {
        out += fish_option(condition, word);
      }
    }
    for (const auto& sub : verb.verbs)
      out += fish_line(path.empty() ? "__fish_use_subcommand" : condition,
                       "-a " + sub.name + " -d " + quoted(sub.help, "\\'"));
  });
  return out;
}

}  // namespace

std::string completion_script(const std::string& shell, const Verb& root) {
  if (shell == "bash") return bash_script(root);
  return shell == "zsh" ? zsh_script(root) : fish_script(root);
}

}  // namespace morpheus::ctl
