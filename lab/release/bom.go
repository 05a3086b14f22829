package release

import (
	"fmt"
	"os"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

// billOfMaterials lists the modules that a binary was built of, as the binary
// itself says.
func billOfMaterials(binary, version, to string) (err error) {
	generator, err := bin.NewGenerator(binary, bin.WithIncludeStdlib(true), bin.WithVersionOverride(version), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	bom, err := generator.Generate()
	if err != nil {
		return fmt.Errorf("list its modules: %w", err)
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if failure := file.Close(); err == nil {
			err = failure
		}
	}()
	// Neither a serial number nor a time: the same binary gives the same list.
	return cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}
