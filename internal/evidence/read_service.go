package evidence

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const serviceNameLabel = "kubernetes.io/service-name"

// readService reads the Service and the addresses behind it.
func (r *reader) readService() {
	if r.bundle.Services == nil {
		r.unknown("service", FileServices)
	} else {
		r.evidence.Service.Name = r.target.Service
		for i := range r.bundle.Services.Items {
			if service := &r.bundle.Services.Items[i]; service.Name == r.target.Service {
				r.evidence.Service = r.serviceOf(service)
			}
		}
	}
	if r.bundle.Slices == nil {
		r.unknown("endpoints", FileSlices)
		return
	}
	for _, slice := range r.bundle.Slices.Items {
		if slice.Labels[serviceNameLabel] != r.target.Service {
			continue
		}
		var ports []int64
		for _, port := range slice.Ports {
			if port.Port != nil {
				ports = append(ports, int64(*port.Port))
			}
		}
		for _, endpoint := range slice.Endpoints {
			for _, address := range endpoint.Addresses {
				one := Endpoint{Address: address, Ports: ports, Ready: endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready}
				if endpoint.TargetRef != nil {
					one.Pod = endpoint.TargetRef.Name
				}
				r.evidence.Endpoints = append(r.evidence.Endpoints, one)
			}
		}
	}
}

func (r *reader) serviceOf(service *corev1.Service) Service {
	one := Service{Exists: true, Name: service.Name, Type: string(service.Spec.Type),
		Headless: service.Spec.ClusterIP == corev1.ClusterIPNone, Selector: service.Spec.Selector}
	for _, port := range service.Spec.Ports {
		one.Ports = append(one.Ports, ServicePort{Name: port.Name, Port: int64(port.Port), TargetPort: port.TargetPort.String()})
	}
	if len(service.Spec.Selector) == 0 {
		return one
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range r.evidence.Pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			one.Selects = append(one.Selects, pod.Name)
		}
	}
	return one
}

// readClaims reads the claims that the workload mounts, there or not.
func (r *reader) readClaims() {
	if r.bundle.Classes == nil {
		r.unknown("classes", FileClasses)
	} else {
		for _, class := range r.bundle.Classes.Items {
			r.evidence.Classes = append(r.evidence.Classes, StorageClass{Name: class.Name, Provisioner: class.Provisioner,
				WaitsForPod: class.VolumeBindingMode != nil && *class.VolumeBindingMode == "WaitForFirstConsumer",
				Default:     class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"})
		}
	}
	if r.bundle.Claims == nil {
		r.unknown("claims", FileClaims)
		return
	}
	wanted := r.claimNames()
	for i := range r.bundle.Claims.Items {
		claim := &r.bundle.Claims.Items[i]
		if !slices.Contains(wanted, claim.Name) {
			continue
		}
		wanted = slices.DeleteFunc(wanted, func(name string) bool { return name == claim.Name })
		one := Claim{Name: claim.Name, Exists: true, Phase: string(claim.Status.Phase), Volume: claim.Spec.VolumeName,
			Capacity: claim.Status.Capacity.Storage().Value(), Deleting: claim.DeletionTimestamp != nil, Since: claim.CreationTimestamp.Time}
		if claim.Spec.StorageClassName != nil {
			one.Class = *claim.Spec.StorageClassName
		}
		r.evidence.Claims = append(r.evidence.Claims, one)
	}
	for _, name := range wanted {
		r.evidence.Claims = append(r.evidence.Claims, Claim{Name: name})
	}
}

// claimNames asks the workload, and its pods where the workload is not known.
func (r *reader) claimNames() []string {
	if r.evidence.Workload.Exists {
		return slices.Clone(r.evidence.Workload.Claims)
	}
	var names []string
	if r.bundle.Pods == nil {
		return nil
	}
	for i := range r.bundle.Pods.Items {
		pod := &r.bundle.Pods.Items[i]
		if !r.isTargetPod(pod.Name) {
			continue
		}
		for _, volume := range pod.Spec.Volumes {
			if volume.PersistentVolumeClaim != nil && !slices.Contains(names, volume.PersistentVolumeClaim.ClaimName) {
				names = append(names, volume.PersistentVolumeClaim.ClaimName)
			}
		}
	}
	return names
}
