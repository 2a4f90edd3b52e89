import ArgumentParser
import KeyAdministration

/// `keyward completions`.
struct CompletionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print what teaches a shell to complete keyward's commands.",
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

/// Where the parser's own script for bash needs help.
private enum BashCompletions {
    /// Bash takes a colon for the end of a word, and permissions and URLs have one. This puts such words together again before they
    /// are completed, and takes off what bash thinks is a word before the one at hand.
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

/// Where the parser's own script for zsh needs help.
private enum ZshCompletions {
    /// Zsh takes what follows a colon for a description (`_describe`), unless it is escaped.
    static func valuesWithColons(in script: String) -> String {
        AdminPermission.allCases.map(\.rawValue).reduce(script) { script, value in
            script.replacing("'\(value)'", with: "'\(value.replacing(":", with: "\\:"))'")
        }
    }
}
