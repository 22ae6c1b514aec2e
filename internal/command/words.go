package command

import "strings"

// InWords lists names as a sentence does: "none", "a", "a and b", "a, b and c".
func InWords(names []string) string {
	switch last := len(names) - 1; last {
	case -1:
		return "none"
	case 0:
		return names[0]
	default:
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
}
