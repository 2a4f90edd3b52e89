import ArgumentParser
import AuthKeys

/// `keyward completions`.
struct CompletionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print the script with which a shell completes keyward's commands.",
        discussion: """
            bash: keyward completions bash > ~/.local/share/bash-completion/completions/keyward
            zsh:  keyward completions zsh > FOLDER/_keyward, in a folder of fpath
            fish: keyward completions fish > ~/.config/fish/completions/keyward.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        fileprivate var script: String {
            switch self {
            case .bash: BashCompletions.wordsWithColons(in: KeywardCommand.completionScript(for: .bash))
            case .zsh: ZshCompletions.valuesWithColons(in: KeywardCommand.completionScript(for: .zsh))
            case .fish: KeywardCommand.completionScript(for: .fish)
            }
        }
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() async throws {
        try await Console.failing { try Console.out(shell.script) }
    }
}

/// Corrections to the parser's completion script for bash.
private enum BashCompletions {
    /// Returns the script with support for words that contain a colon, such as permissions and URLs.
    ///
    /// Bash splits words at colons (`COMP_WORDBREAKS`). The wrapper joins such words before completion, and then
    /// removes from each suggestion the part that bash counts as an earlier word.
    static func wordsWithColons(in script: String) -> String {
        let command = "complete -o filenames -F _keyward keyward"
        return script.replacing(
            command,
            with: #"""
                _keyward_whole_words() {
                    local -a words=()
                    local -i index
                    local word before=''
                    for ((index = 0; index <= COMP_CWORD; index++)); do
                        word="${COMP_WORDS[index]}"
                        if ((${#words[@]} > 1)) && [[ "${word}" = :* || "${before}" = *: ]]; then
                            words[${#words[@]}-1]+="${word}"
                        else
                            words+=("${word}")
                        fi
                        before="${word}"
                    done
                    local -i COMP_CWORD=$((${#words[@]} - 1))
                    local -r prefix="${words[COMP_CWORD]%"${2}"}"
                    local -r current="${words[COMP_CWORD]//\\:/:}"
                    words[COMP_CWORD]="${current}"
                    local -a COMP_WORDS=("${words[@]}")
                    _keyward "${1}" "${current}" "${words[COMP_CWORD-1]}"
                    COMPREPLY=("${COMPREPLY[@]#"${prefix}"}")
                }

                \#(command.replacing("_keyward ", with: "_keyward_whole_words "))
                """#)
    }
}

/// Corrections to the parser's completion script for zsh.
private enum ZshCompletions {
    /// Returns the script with the colons of values escaped. Zsh reads the text after an unescaped colon as a
    /// description (`_describe`).
    static func valuesWithColons(in script: String) -> String {
        AdminPermission.allCases.map(\.rawValue).reduce(script) { script, value in
            script.replacing("'\(value)'", with: "'\(value.replacing(":", with: "\\:"))'")
        }
    }
}
