package commands

// Form is a question with inputs, asked in a dialog of its own. Nothing waits
// on an open one: what it is about is the incident's, and is looked at anew
// when the answers come.
type Form struct {
	ID     string // action that the answers are for, as of a button
	Value  string // IDs that come back with the answers, as of a button
	Title  string
	Parts  []Part // what is asked, the gravest first; no Buttons
	Inputs []Input
	Submit string
}

// Input is something to fill in: one line, or several.
type Input struct {
	ID    string
	Label string
	Hint  string
	Value string // what stands there at first
	Long  bool   // several lines
}
