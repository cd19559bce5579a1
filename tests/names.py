# SPDX-License-Identifier: GPL-2.0-only
"""Finds pages, comments and messages that name files, functions, types or other symbols that are
gone.

A page names a symbol in a code span (`like_this`). In a comment, a word is a symbol if it has
parentheses, the project's prefix or an upper-case letter in the middle. Any text names a file by
its path from the root or, if its ending is the project's own, by its base name.
"""
import os
import re

C_LIKE = (".h", ".c", ".hpp", ".cpp", ".in", ".go", ".rs")
CODE = (*C_LIKE, ".py", ".pyi", ".bash", ".build", ".varlink", ".map")
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", re.S)
C_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
# In scripts, what follows a # at the beginning of a line or after a blank.
SCRIPT_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.M)
DOCSTRING = re.compile(r'"""(?:.|\n)*?"""')
PYTHON_STRING = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)

BASE_NAME = re.compile(r"(?<![\w./<*-])[\w-]+(?:\.bpf)?\.(?:hpp|cpp|bpf\.h|bpf\.c|varlink|md|bash)(?![\w*]|\.\w)")
CALL = re.compile(r"(?<![\w.>-])(?:\w+(?:::|\.))*([A-Za-z_]\w+)\(\)(?!\s*\{)")
# In a span: a::b, a_b or a word of several humps. A single plain word may mean anything.
SYMBOL = re.compile(r"(?<![\w.$/-])(?:\w+::)*(?:[A-Za-z]\w*_\w+|[A-Z][a-z]+(?:[A-Z][a-z]+)+|(?<=::)\w+)(?![\w/-])")
IN_COMMENT = re.compile(r"\b(?:(?:morpheus|MORPHEUS|policy|POLICY)_\w+(?![\w*])|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b)")
# Names of the kernel, of other projects, and of styles.
FOREIGN = {"CONFIG_SCHED_INFO", "OBSERVER_ONLY", "PIDFD_GET_INFO", "PascalCase", "SCHED_EXT", "SplitMix64",
           "StopIteration", "balance_one", "dequeue_task_scx", "do_enqueue_task", "sched_clock", "scx_disable",
           "scx_enable", "set_task_cpu", "snake_case"}


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        return None


def source_files(root):
    """Every file, relative to `root`; build directories and hidden ones left out."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith((".", "build")) and n != "__pycache__")
        yield from (os.path.relpath(os.path.join(directory, file), root) for file in sorted(files))


def without_blocks(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)


class Names:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.files = list(source_files(root))
        rooms = sorted({path.partition("/")[0] for path in self.files if "/" in path})
        self.path = re.compile(rf"(?<![\w./<*-])(?:{'|'.join(rooms)})/[\w./-]*\w\.\w+(?![\w/*{{]|\.{{)")
        self.room = re.compile(rf"^(?:{'|'.join(rooms)})/[\w./-]*$")
        self.base_names = {os.path.basename(path) for path in self.files}
        self.code = {}
        for path in self.files:
            text = read(os.path.join(root, path))
            if text is not None and (path.endswith(CODE) or text.startswith("#!")):
                self.code[path] = text
        self.foreign_headers = {name for text in self.code.values() for name in INCLUDE.findall(text)
                                if not self.exists(name)}
        self.words = set()
        for path, text in self.code.items():
            pattern = COMMENT if path.endswith(C_LIKE) else SCRIPT_COMMENT
            self.words.update(re.findall(r"[A-Za-z_]\w*", pattern.sub("", text)))

    def exists(self, path):
        """In the tree, as a template in the tree, or made by the build. A folder in upper case stands
        for something else."""
        if re.search(r"\b[A-Z]+(?:/|$)", path):
            return True
        return any(map(os.path.exists, (os.path.join(self.root, path), os.path.join(self.root, path + ".in"),
                                        os.path.join(self.build, path))))

    def is_known(self, name):
        return name in self.words or name in FOREIGN or re.sub(r"_total$", "", name) in self.words

    def gone_files(self, text):
        """The project's files that a text names."""
        for path in self.path.findall(text):
            if not self.exists(path) and path not in self.foreign_headers:
                yield f"{path}: no such file"
        for name in BASE_NAME.findall(text):
            if not {name, name + ".in"} & self.base_names:
                yield f"{name}: no such file"

    def gone_symbols(self, names):
        for name in sorted(set(names)):
            if not self.is_known(name):
                yield f"{name}: nothing of that name in the code"

    def gone_in_page(self, text):
        text = without_blocks(text)
        for span in re.findall(r"`([^`\n]+)`", text):
            yield from self.gone_files(span)
            if self.room.match(span) and not self.exists(span):
                yield f"{span}: no such file"
            if re.match(r"^morpheus/[\w./]+$", span) and not self.exists("sdk/include/" + span):
                yield f"{span}: no such header"
            names = set(CALL.findall(span)).union(*(symbol.split("::") for symbol in SYMBOL.findall(span)))
            yield from self.gone_symbols(names)

    def comments_and_messages(self, path, text):
        """(comments, messages) of a file of code. The strings of a build file are parts of paths."""
        if path.endswith(C_LIKE):
            text = INCLUDE.sub("", text)
            comments = COMMENT.findall(text)
            return comments, C_STRING.findall(COMMENT.sub("", text))
        comments = SCRIPT_COMMENT.findall(text)
        if path.endswith(".py"):
            comments += DOCSTRING.findall(text)
        if path.endswith((".build", ".map")):
            return comments, []
        return comments, PYTHON_STRING.findall(SCRIPT_COMMENT.sub("", text))

    def messages(self):
        for path, text in self.code.items():
            yield from ((path, message) for message in self.comments_and_messages(path, text)[1])

    def gone_in_code(self):
        for path, text in self.code.items():
            comments, messages = self.comments_and_messages(path, text)
            for part in (*comments, *messages):
                yield from (f"{path}: {what}" for what in self.gone_files(part))
            for part in comments:
                yield from (f"{path}: {what}" for what in self.gone_symbols(CALL.findall(part) + IN_COMMENT.findall(part)))
