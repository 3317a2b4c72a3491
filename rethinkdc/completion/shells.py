"""What shells are told: the script that binds a key to this program, and candidates as each of them reads them."""

from __future__ import annotations

from rethinkdc.completion.candidates import Candidate
from rethinkdc.completion.line import Line

ENVIRONMENT = "RETHINKDC_COMPLETE"
"""Names the shell that asks; the line up to the cursor is the program's one argument."""

_BASH = """\
_rethinkdc() {
    local IFS=$'\\n' word
    COMPREPLY=($(RETHINKDC_COMPLETE=bash rethinkdc "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    for word in "${COMPREPLY[@]}"; do
        [[ $word == *[=:[/] ]] && compopt -o nospace
    done
}
complete -o bashdefault -o default -F _rethinkdc rethinkdc
"""
_ZSH = """\
#compdef rethinkdc
_rethinkdc() {
    local line; local -a whole open shown_whole shown_open
    local typed="${(j: :)words[1,CURRENT-1]} $PREFIX"
    for line in "${(@f)$(RETHINKDC_COMPLETE=zsh rethinkdc "$typed" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        if [[ ${line%%$'\\t'*} == *[=:\\[/] ]]; then
            open+=("${line%%$'\\t'*}"); shown_open+=("${line/$'\\t'/  -- }")
        else
            whole+=("${line%%$'\\t'*}"); shown_whole+=("${line/$'\\t'/  -- }")
        fi
    done
    (( $#whole + $#open )) || { _files; return; }
    compadd -l -d shown_whole -a whole
    compadd -l -S '' -d shown_open -a open
}
compdef _rethinkdc rethinkdc
"""
_FISH = """\
function __rethinkdc_complete
    set -l found (RETHINKDC_COMPLETE=fish rethinkdc (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c rethinkdc -f -a '(__rethinkdc_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each shell that is known."""
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/rethinkdc",
    "zsh": "~/.zfunc/_rethinkdc",
    "fish": "~/.config/fish/completions/rethinkdc.fish",
}
"""Where each shell looks for it; zsh where its ``fpath`` names the folder."""


def write_reply(shell: str, line: Line, candidates: list[Candidate]) -> str:
    """Writes candidates as a shell reads them: a line each, with what it is behind a tab where the shell shows that."""
    if shell == "bash":
        # Outside of quotes these letters part words for bash, which replaces what lies behind the last of them.
        known = 0 if line.quoted else max(line.word.rfind(letter) for letter in "=:") + 1
        return "".join(f"{one.word[known:]}\n" for one in candidates)
    return "".join(f"{one.word}\t{one.help}\n" for one in candidates)
