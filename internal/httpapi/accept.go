package httpapi

import "bytes"

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): the compressed form is
// smaller, and taken wherever it is not refused.
func takesGzip(lines [][]byte) bool {
	named, any := false, false
	for _, line := range lines {
		for element := range bytes.SplitSeq(line, comma) {
			coding, weight, _ := readAccept(element)
			switch coding {
			case "gzip", "x-gzip":
				if weight == 0 {
					return false
				}
				named = true
			case "*":
				any = weight > 0
			}
		}
	}
	return named || any
}

// readAccept reads one element of a field of preferences (RFC 9110, 12.4.2): what is
// preferred, in lower case, its weight in thousandths, and its version if it has one. A
// weight that is none counts as 0.
func readAccept(element []byte) (name string, weight int, version string) {
	first, rest, _ := bytes.Cut(element, semicolon)
	name, weight = string(bytes.ToLower(trim(first))), 1000
	for parameter := range bytes.SplitSeq(rest, semicolon) {
		key, value, _ := bytes.Cut(trim(parameter), equals)
		switch string(bytes.ToLower(trim(key))) {
		case "q":
			weight = thousandths(trim(value))
		case "version":
			version = string(bytes.Trim(trim(value), `"`))
		}
	}
	return name, weight, version
}

// thousandths reads a weight: 0 to 1 with up to three digits behind the point.
func thousandths(text []byte) int {
	if len(text) == 0 || len(text) > len("0.000") || text[0] != '0' && text[0] != '1' || len(text) > 1 && text[1] != '.' {
		return 0
	}
	n := int(text[0]-'0') * 1000
	for i, scale := 2, 100; i < len(text); i, scale = i+1, scale/10 {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
		n += int(text[i]-'0') * scale
	}
	return min(n, 1000)
}

var semicolon = []byte(";")
