package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
	"redis-session-bot/internal/runbook"
)

// settingArgs are those of set-config. A value of null takes the key away.
type settingArgs struct {
	Config string  `json:"config,omitempty"` // ConfigMap; the application's without one
	Key    string  `json:"key"`
	Value  *string `json:"value"`
}

func settingChange() change {
	return change{
		says: "sets one key of a ConfigMap, the application's where none is named",
		validate: func(args json.RawMessage) error {
			var a settingArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			if a.Key == "" {
				return errors.New("name the key")
			}
			var given map[string]json.RawMessage
			if err := json.Unmarshal(args, &given); err != nil || given["value"] == nil {
				return errors.New("give the value; null takes the key away")
			}
			if a.Value != nil && redisconf.Redact(*a.Value) != *a.Value {
				return errors.New("the value holds a secret, and those do not belong in a ConfigMap")
			}
			return nil
		},
		resolve: asIs,
		about: func(target evidence.Target, args json.RawMessage) objectName {
			var a settingArgs
			if err := json.Unmarshal(args, &a); err != nil || a.Config == "" {
				return objectName{kindConfigMap, target.AppConfig}
			}
			return objectName{kindConfigMap, a.Config}
		},
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editSetting(target, object, args)
		},
	}
}

func editSetting(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return edited{}, errors.New("set-config is about a ConfigMap")
	}
	var a settingArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	if configMap.Immutable != nil && *configMap.Immutable {
		return edited{}, refuse("ConfigMap %s is immutable: make a new one and let the workload mount that.", configMap.Name)
	}
	was, had := configMap.Data[a.Key]
	undo := settingArgs{Config: configMap.Name, Key: a.Key}
	if had {
		undo.Value = &was
	}
	e := edited{title: fmt.Sprintf("take %s out of %s", a.Key, configMap.Name),
		kubectl: fmt.Sprintf("kubectl edit configmap/%s -n %s", configMap.Name, target.Namespace)}
	if a.Value == nil {
		if !had {
			return edited{}, refuse("ConfigMap %s has no key %s.", configMap.Name, a.Key)
		}
		delete(configMap.Data, a.Key)
	} else {
		patch, err := json.Marshal(map[string]any{"data": map[string]string{a.Key: *a.Value}})
		if err != nil {
			return edited{}, err
		}
		e.title = fmt.Sprintf("set %s in %s: %s → %s", a.Key, configMap.Name, orNone(was, had), *a.Value)
		e.kubectl = fmt.Sprintf("kubectl patch configmap/%s -n %s -p %s", configMap.Name, target.Namespace, quote(string(patch)))
		if configMap.Data == nil {
			configMap.Data = map[string]string{}
		}
		configMap.Data[a.Key] = *a.Value
	}
	if redisconf.Redact(was) != was {
		e.noUndo = "what stood there holds a password, and that is kept nowhere"
		return e, nil
	}
	e.undo = []runbook.Change{newChange(changeSetting, undo)}
	return e, nil
}

func orNone(value string, there bool) string {
	if !there {
		return "none"
	}
	return value
}
